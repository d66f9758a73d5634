# A MikroTik router with RouterOS 7 that asks Doorward: wired 802.1X on one port, Wi-Fi by EAP, and
# Disconnect-Requests. Not tested: no router was there to try it.
/radius add service=dot1x,wireless address=192.0.2.10 secret=replace-me timeout=3s
/radius incoming set accept=yes port=3799
/interface dot1x server add interface=ether2 auth-types=dot1x accounting=yes interim-update=10m
/interface wifi security add name=doorward authentication-types=wpa2-eap,wpa3-eap
/interface wifi aaa add name=doorward interim-update=10m
/interface wifi set [find default-name=wifi1] configuration.ssid=example security=doorward aaa=doorward disabled=no
