//! A stream under TLS that wipes what it is to read into.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use zeroize::Zeroize as _;

/// Wipes what it is to read into, and then reads: `Wiping` of `doorward-leftovers`, for streams of
/// the runtime. It belongs between TLS and its ciphertext.
#[derive(Debug)]
pub struct WipingStream<S>(S);

impl<S> WipingStream<S> {
    /// Around where ciphertext comes from.
    pub fn new(inner: S) -> Self {
        Self(inner)
    }

    /// Where ciphertext comes from.
    pub const fn get_ref(&self) -> &S {
        &self.0
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WipingStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.initialize_unfilled().zeroize();
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WipingStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn streams_pass_through_it() {
        let (near, far) = tokio::io::duplex(64);
        let mut far = WipingStream::new(far);
        let mut near = near;
        near.write_all(b"question").await.unwrap();
        let mut buffer = *b"a password of before";
        assert_eq!(far.read(&mut buffer).await.unwrap(), 8);
        assert_eq!(&buffer[..8], b"question");
        assert_eq!(buffer[8..], [0; 12]);
        far.write_all(b"answer").await.unwrap();
        assert_eq!(near.read(&mut buffer).await.unwrap(), 6);
    }
}
