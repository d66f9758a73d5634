//! Streams that tell when their other end has gone, without being read: a connection that has
//! enough to do, or waits for a slow reader, reads nothing that would tell it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, Interest, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use doorward_net::WipingStream;

/// What a connection is talked over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Whether the other end has closed its side or broken the connection, whatever it sent before
    /// and is unread.
    fn has_hung_up(&self) -> bool;
}

impl Stream for TcpStream {
    fn has_hung_up(&self) -> bool {
        is_closed(self.ready(Interest::READABLE))
    }
}

impl Stream for UnixStream {
    fn has_hung_up(&self) -> bool {
        is_closed(self.ready(Interest::READABLE))
    }
}

impl<S: Stream> Stream for Box<TlsStream<WipingStream<S>>> {
    fn has_hung_up(&self) -> bool {
        self.get_ref().0.get_ref().has_hung_up()
    }
}

/// Whether a stream is ready in that there is nothing more to come. It is looked at and not waited
/// for.
fn is_closed(ready: impl Future<Output = std::io::Result<Ready>>) -> bool {
    let looked = pin!(ready).poll(&mut Context::from_waker(Waker::noop()));
    match looked {
        Poll::Ready(Ok(ready)) => ready.is_read_closed() || ready.is_error(),
        Poll::Ready(Err(_)) => true,
        Poll::Pending => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use socket2::SockRef;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, served) = tokio::join!(client, listener.accept());
        (client.unwrap(), served.unwrap().0)
    }

    async fn eventually(holds: impl Fn() -> bool) {
        for _ in 0..1000 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it never held");
    }

    #[tokio::test]
    async fn a_client_that_closes_is_seen_behind_what_it_sent() {
        let (mut client, served) = pair().await;
        client.write_all(&[7; 10_000]).await.unwrap();
        served.readable().await.unwrap();
        assert!(!served.has_hung_up());
        drop(client);
        eventually(|| served.has_hung_up()).await;
    }

    #[tokio::test]
    async fn a_client_that_breaks_off_is_seen_too() {
        let (mut client, served) = pair().await;
        client.write_all(b"unread").await.unwrap();
        SockRef::from(&client)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(client);
        eventually(|| served.has_hung_up()).await;
    }

    #[tokio::test]
    async fn a_local_client_is_seen_as_well() {
        let (client, served) = UnixStream::pair().unwrap();
        assert!(!served.has_hung_up());
        drop(client);
        eventually(|| served.has_hung_up()).await;
    }
}
