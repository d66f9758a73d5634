//! The daemon: starts every part, reloads, and stops in order.
//!
//! Start: check the configuration, bind, open the store, then say ready. Stop: accept nothing
//! more, let what is under way end within a deadline, settle, close the store.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::audit::Audit;
use crate::config::ldap::ListenAddress;
use crate::config::secrets;
use crate::config::secrets::Secrets;
use crate::config::{Config, ConfigErrors};
use crate::metrics as metrics_page;
use doorward_auth_policy as auth_policy;
use doorward_authenticator::Authenticator;
use doorward_directory::Directory;
use doorward_domain::name::ListenerName;
use doorward_domain::time::Clock;
use doorward_frontend_api::Read;
use doorward_frontend_api::{Decide, Throttles};
use doorward_hashing::HashingPool;
use doorward_ldap as ldap;
use doorward_ldap::{Gate, Services, Socket, TlsSource};
use doorward_ldap_protocol::settings::ClientCertificate;
use doorward_net::{LocalListener, listen, listen_local};
use doorward_observe::watch::Watch;
use doorward_radius as radius;
use doorward_radius::radsec;
use doorward_store::Store;

use super::assemble::{self, AssemblyError};
use super::certificates::Protection;
use super::clock::SystemClock;
use super::observe::warn_in_lines;
use super::reload::{Protections, Reloader, check_reply};
use super::searching::Searching;
use super::{chores, descriptors, kept_sessions, status, systemd, watching};

/// How often the certificates' files are looked at.
const CERTIFICATES: Duration = Duration::from_secs(10);

/// Why the daemon ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// It could not start.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// An address cannot be listened on.
    #[error("{0}")]
    Bind(String),
    /// A part that must run for ever ended.
    #[error("{0} ended by itself: the service must be restarted")]
    PartEnded(&'static str),
    /// The system gives no signals or no randomness.
    #[error("{0}")]
    System(String),
}

impl From<ConfigErrors> for DaemonError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Assembly(AssemblyError::Config(errors))
    }
}

/// One LDAP listener with its sockets.
struct LdapListener {
    name: ListenerName,
    server: Arc<ldap::Server>,
    sockets: Vec<Socket>,
}

/// The auth-policy server with its socket.
type AuthPolicyServer = (TcpListener, Arc<auth_policy::server::Server>);

/// Everything bound and open, and nothing served yet.
pub struct Daemon {
    config: Config,
    clock: Arc<SystemClock>,
    store: Store,
    pool: Arc<HashingPool>,
    authenticator: Arc<Authenticator>,
    directory: Arc<Directory>,
    protections: Protections,
    ldap: Vec<LdapListener>,
    searching: Arc<Searching>,
    gate: Arc<Gate>,
    radius: Option<radius::Server>,
    auth_policy: Option<AuthPolicyServer>,
    status: Option<(
        status::Listener,
        metrics_exporter_prometheus::PrometheusHandle,
    )>,
    watch: Watch,
    watching: Option<LocalListener>,
}

impl Daemon {
    /// Checks the configuration, binds every address and opens the store, making it where it is
    /// missing.
    ///
    /// # Errors
    /// Says what cannot be had; nothing was served.
    pub async fn start(config: Config) -> Result<Self, DaemonError> {
        assemble::check_resources(&config)?;
        let secrets = secrets::read(&config)?;
        for warning in config.warnings().iter().chain(secrets.warnings()) {
            warn_in_lines(&warning.to_string());
        }
        descriptors::make_room(&config);
        let protections = Protections::of(&config)?;
        let clock = Arc::new(SystemClock::start());
        let status = match &config.metrics {
            Some(section) => {
                let listener = status::bind(section).await.map_err(|error| {
                    DaemonError::Bind(format!("{}: {error} (metrics)", section.address))
                })?;
                let detail = if section.detailed {
                    metrics_page::Detail::Exact
                } else {
                    metrics_page::Detail::Coarse
                };
                let handle = metrics_page::install(detail)
                    .map_err(|error| DaemonError::System(error.to_string()))?;
                Some((listener, handle))
            }
            None => None,
        };
        let store = assemble::store(&config, true).map_err(AssemblyError::from)?;

        let pool = Arc::new(assemble::pool(&config)?);
        let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let authenticator = Authenticator::new(
            store.clone(),
            Arc::clone(&pool),
            Arc::clone(&as_clock),
            assemble::authenticator(&config, &secrets)?,
        )
        .map_err(|error| DaemonError::System(error.to_string()))?;
        let authenticator = Arc::new(authenticator);
        let directory = Arc::new(Directory::new(
            store.clone(),
            Arc::clone(&pool),
            assemble::directory(&config),
        ));
        check_reply(&config, &directory).await?;
        let decide: Arc<dyn Decide> = Arc::clone(&authenticator) as _;
        let read: Arc<dyn Read> = Arc::clone(&directory) as _;
        let gate = Gate::new(assemble::ldap_caps(&config), Arc::clone(&as_clock));
        let (watch, watching) = watched(&config, &directory)?;
        let searching = Searching::start().map_err(|error| DaemonError::System(error.to_string()));
        let searching = Arc::new(searching?);
        let services = Services {
            decide: Arc::clone(&decide),
            directory: read,
            searches: searching.searches(),
            passwords: Arc::clone(&directory) as _,
            clock: Arc::clone(&as_clock),
            tls: tls_source(&protections.listeners),
            gate: Arc::clone(&gate),
            watch: watch.clone(),
        };
        let ldap = ldap_listeners(&config, &services)?;
        let radius = match assemble::radius_listen(&config) {
            Some(mut listen) => {
                listen.watch = watch.clone();
                let settings =
                    assemble::radius(&config, &secrets, protections.eap.load().as_ref())?;
                let clock = Arc::clone(&as_clock);
                let devices = Arc::clone(&authenticator) as _;
                let sessions = Arc::clone(&directory) as _;
                let server =
                    radius::Server::bind(&listen, settings, decide, devices, sessions, clock)
                        .map_err(|fault| DaemonError::Bind(fault.to_string()))?;
                Some(match radsec_listen(&config, &protections.radius)? {
                    Some(listen) => server.with_radsec(listen),
                    None => server,
                })
            }
            None => None,
        };
        let throttles: Arc<dyn Throttles> = Arc::clone(&authenticator) as _;
        let auth_policy = auth_policy_server(&config, &secrets, throttles, as_clock).await?;
        Ok(Self {
            config,
            clock,
            store,
            pool,
            authenticator,
            directory,
            protections,
            ldap,
            searching,
            gate,
            radius,
            auth_policy,
            status,
            watch,
            watching,
        })
    }

    /// The store, for whoever prepares or watches the daemon.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// The directory, for whoever prepares or watches the daemon.
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory)
    }

    /// The authenticator, for whoever prepares the daemon.
    pub fn authenticator(&self) -> Arc<Authenticator> {
        Arc::clone(&self.authenticator)
    }

    /// The clock everything goes by.
    pub fn clock(&self) -> Arc<SystemClock> {
        Arc::clone(&self.clock)
    }

    /// Serves until SIGTERM or SIGINT, or until `stop` is cancelled; SIGHUP puts the configuration
    /// that `read_again` gives in force.
    ///
    /// # Errors
    /// A part that must run for ever ended.
    pub async fn run(
        self,
        read_again: impl Fn() -> Result<Config, ConfigErrors>,
        stop: CancellationToken,
    ) -> Result<(), DaemonError> {
        let no_signals = |error: std::io::Error| DaemonError::System(error.to_string());
        let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(no_signals)?;
        let shutdown = CancellationToken::new();
        let deadline = self.config.runtime.shutdown_deadline;
        let mut reloader = Reloader {
            bound: self.config.listeners(),
            audit: Arc::new(arc_swap::ArcSwap::from_pointee(self.config.audit.clone())),
            authenticator: Arc::clone(&self.authenticator),
            directory: Arc::clone(&self.directory),
            pool: Arc::clone(&self.pool),
            protections: self.protections.clone(),
            ldap: self
                .ldap
                .iter()
                .map(|listener| (listener.name.clone(), Arc::clone(&listener.server)))
                .collect(),
            gate: Arc::clone(&self.gate),
            radius: self.radius.as_ref().map(radius::Server::handle),
            auth_policy: self
                .auth_policy
                .as_ref()
                .map(|(_, server)| Arc::clone(server)),
        };
        let authenticator = Arc::clone(&self.authenticator);
        let pool = Arc::clone(&self.pool);
        let searching = Arc::clone(&self.searching);
        let mut parts = self.spawn_parts(&shutdown, &reloader);
        systemd::ready();
        tracing::info!("doorward is ready");
        let ended = loop {
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                _ = terminate.recv() => break Ok(()),
                _ = interrupt.recv() => break Ok(()),
                _ = hangup.recv() => {
                    systemd::reloading();
                    reloader.reload(&read_again).await;
                    systemd::ready();
                }
                ended = parts.join_next() => {
                    break Err(DaemonError::PartEnded(match ended {
                        Some(Ok(part)) => part,
                        _ => "a part",
                    }));
                }
            }
        };
        systemd::stopping();
        tracing::info!("doorward stops");
        shutdown.cancel();
        if !wind_up(parts, authenticator.drained(), deadline).await {
            tracing::warn!("what was under way did not end within the deadline");
        }
        drop(searching);
        pool.close();
        tracing::info!("doorward stopped");
        ended
    }

    fn spawn_parts(
        self,
        shutdown: &CancellationToken,
        reloader: &Reloader,
    ) -> JoinSet<&'static str> {
        let mut parts = JoinSet::new();
        let radius_handle = self.radius.as_ref().map(radius::Server::handle);
        let token = || shutdown.clone();
        for listener in self.ldap {
            let served = listener.server.serve(listener.sockets, token());
            parts.spawn(async move {
                served.await;
                "an LDAP listener"
            });
        }
        if let Some(radius) = self.radius {
            let token = token();
            parts.spawn(async move {
                if let Err(error) = radius.run(token).await {
                    tracing::error!(%error, "RADIUS ended");
                }
                "RADIUS"
            });
        }
        if let Some((listener, server)) = self.auth_policy {
            let served = server.serve(listener, token());
            parts.spawn(async move {
                served.await;
                "the auth-policy server"
            });
        }
        if let Some((listener, metrics)) = self.status {
            let status = status::Status {
                store: self.store.clone(),
                pool: Arc::clone(&self.pool),
                clock: Arc::clone(&self.clock) as _,
                metrics,
                shutdown: token(),
            };
            parts.spawn(async move {
                status::serve(listener, status).await;
                "the status page"
            });
        }
        if let Some(listener) = self.watching {
            let kept = (&self.store, &self.directory, &self.clock);
            spawn_watching(&mut parts, listener, self.watch, kept, token());
        }
        let time = chores::follow_time(self.store.clone(), Arc::clone(&self.clock), token());
        parts.spawn(async move {
            time.await;
            "lifecycle"
        });
        let end_after = self
            .config
            .radius
            .as_ref()
            .map(|section| section.sockets.session_end_after);
        let kept = (&self.store, &self.clock);
        spawn_upkeep(&mut parts, kept, &reloader.audit, end_after, shutdown);
        let doubt = chores::doubt_clock(self.store.clone(), Arc::clone(&self.clock), token());
        parts.spawn(async move {
            doubt.await;
            "the clock's examination"
        });
        let gate = Arc::clone(&reloader.gate);
        let tell = move |available| {
            if let Some(radius) = &radius_handle {
                radius.set_available(available);
            }
        };
        let probe = chores::probe_store(self.store.clone(), gate, tell, token());
        parts.spawn(async move {
            probe.await;
            "the store's probe"
        });
        let protections = reloader.protections.clone();
        let watched = chores::every(CERTIFICATES, token(), move || {
            protections.look();
            std::future::ready(())
        });
        parts.spawn(async move {
            watched.await;
            "the certificates' watch"
        });
        if let Some(period) = systemd::watchdog_period() {
            let alive = chores::every(period, token(), || {
                systemd::alive();
                std::future::ready(())
            });
            parts.spawn(async move {
                alive.await;
                "the watchdog"
            });
        }
        parts
    }
}

/// Lets the parts end, and then what was being decided be settled. A part that does not end has
/// not all of the time: what others were deciding is settled all the same.
async fn wind_up<T: 'static>(
    mut parts: JoinSet<T>,
    settled: impl Future<Output = ()>,
    deadline: Duration,
) -> bool {
    let all = async {
        let ended = async { while parts.join_next().await.is_some() {} };
        let ended = tokio::time::timeout(deadline * 4 / 5, ended).await.is_ok();
        if !ended {
            parts.shutdown().await;
        }
        settled.await;
        ended
    };
    tokio::time::timeout(deadline, all).await.unwrap_or(false)
}

/// Spawns what tells operators what happens.
fn spawn_watching(
    parts: &mut JoinSet<&'static str>,
    listener: LocalListener,
    watch: Watch,
    (store, directory, clock): (&Store, &Arc<Directory>, &Arc<SystemClock>),
    shutdown: CancellationToken,
) {
    let services = watching::Services {
        watch,
        store: store.clone(),
        directory: Arc::clone(directory),
        clock: Arc::clone(clock) as _,
    };
    let served = watching::serve(listener, services, shutdown);
    parts.spawn(async move {
        served.await;
        "the socket for watching"
    });
}

/// Spawns what removes old events and, where RADIUS is served, ends and removes old sessions.
fn spawn_upkeep(
    parts: &mut JoinSet<&'static str>,
    (store, clock): (&Store, &Arc<SystemClock>),
    audit: &Arc<arc_swap::ArcSwap<Audit>>,
    end_after: Option<Duration>,
    shutdown: &CancellationToken,
) {
    let both = || (store.clone(), Arc::clone(clock));
    let in_force = || {
        let audit = Arc::clone(audit);
        move || Audit::clone(&audit.load())
    };
    let (store, clock) = both();
    let old = chores::forget_events(store, clock, in_force(), shutdown.clone());
    parts.spawn(async move {
        old.await;
        "retention"
    });
    let room = chores::bound_events(both().0, in_force(), shutdown.clone());
    parts.spawn(async move {
        room.await;
        "the audit log's bound"
    });
    if let Some(end_after) = end_after {
        let (store, clock) = both();
        let tidy = kept_sessions::tidy(store, clock, end_after, in_force(), shutdown.clone());
        parts.spawn(async move {
            tidy.await;
            "the sessions' upkeep"
        });
    }
}

/// Where front ends tell what happens, and the socket by which it is watched.
fn watched(
    config: &Config,
    directory: &Arc<Directory>,
) -> Result<(Watch, Option<LocalListener>), DaemonError> {
    let watch = Watch::default();
    watch.explain_with(Arc::new(watching::Explainer(Arc::clone(directory))));
    let socket = &config.runtime.watch;
    let listener = watching::listen(socket).map_err(|error| {
        let path = socket.path().unwrap_or_else(|| Path::new("off"));
        DaemonError::Bind(format!("{}: {error} (runtime.watch)", path.display()))
    })?;
    Ok((watch, listener))
}

/// Binds the auth-policy server, where one is configured.
async fn auth_policy_server(
    config: &Config,
    secrets: &Secrets,
    throttles: Arc<dyn Throttles>,
    clock: Arc<dyn Clock>,
) -> Result<Option<AuthPolicyServer>, DaemonError> {
    let settings = assemble::auth_policy(config, secrets)?;
    let Some((section, settings)) = config.auth_policy.as_ref().zip(settings) else {
        return Ok(None);
    };
    let address = section.address;
    let listener = auth_policy::server::bind(address)
        .await
        .map_err(|error| DaemonError::Bind(format!("{address}: {error} (auth_policy)")))?;
    let server = auth_policy::server::Server::new(settings, throttles, clock);
    Ok(Some((listener, server)))
}

/// Every LDAP listener, on its sockets.
fn ldap_listeners(config: &Config, services: &Services) -> Result<Vec<LdapListener>, DaemonError> {
    let mut ldap = Vec::new();
    for listener in &config.ldap.listeners {
        let settings = assemble::ldap(config, listener)?;
        let mut sockets = Vec::new();
        for address in &listener.address {
            let socket = match address {
                ListenAddress::Network(address) => listen(*address).map(Socket::from),
                ListenAddress::Unix(path) => {
                    listen_local(path, listener.socket_mode).map(Socket::from)
                }
            };
            sockets.push(socket.map_err(|error| {
                DaemonError::Bind(format!(
                    "LDAP listener '{}' cannot listen on {address}: {error}",
                    listener.name
                ))
            })?);
        }
        let server = ldap::Server::new(settings, services.clone());
        ldap.push(LdapListener {
            name: listener.name.clone(),
            server,
            sockets,
        });
    }
    Ok(ldap)
}

/// Where RADIUS connections come in, and their TLS; nothing where there are none.
fn radsec_listen(
    config: &Config,
    protection: &Arc<ArcSwapOption<Protection>>,
) -> Result<Option<radsec::Listen>, DaemonError> {
    let protection = Arc::clone(protection);
    let (Some(radius), Some(_)) = (&config.radius, &*protection.load()) else {
        return Ok(None);
    };
    let bind = |address: &SocketAddr| {
        listen(*address).map_err(|error| {
            DaemonError::Bind(format!(
                "cannot listen for RADIUS/TLS on {address}: {error}"
            ))
        })
    };
    let listeners = radius.sockets.radsec.iter().map(bind);
    Ok(Some(radsec::Listen {
        listeners: listeners.collect::<Result<_, _>>()?,
        tls: Arc::new(move || {
            protection
                .load()
                .as_ref()?
                .config(ClientCertificate::Required)
        }),
    }))
}

/// The certificate of the moment, for LDAP.
fn tls_source(protection: &Arc<ArcSwapOption<Protection>>) -> TlsSource {
    let protection = Arc::clone(protection);
    Arc::new(move |clients| protection.load().as_ref()?.config(clients))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_does_not_end_leaves_time_to_settle_what_others_began() {
        let mut parts = JoinSet::new();
        parts.spawn(std::future::pending::<()>());
        let mut settled = false;
        let settling = async { settled = true };
        assert!(!wind_up(parts, settling, Duration::from_millis(200)).await);
        assert!(settled);
    }

    #[tokio::test]
    async fn what_is_not_settled_is_waited_for_no_longer_than_the_deadline() {
        let parts = JoinSet::<()>::new();
        let never = std::future::pending();
        assert!(!wind_up(parts, never, Duration::from_millis(50)).await);
        let done = std::future::ready(());
        assert!(wind_up(JoinSet::<()>::new(), done, Duration::from_mins(1)).await);
    }
}
