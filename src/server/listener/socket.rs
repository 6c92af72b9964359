//! Options of sockets: how much the kernel buffers for a connection, and for how long it waits for the peer.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpStream;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// What the kernel buffers of a connection in each direction. Linux takes the double, for its own administration: then
/// it is 64 KiB. Unbounded, it would be megabytes of each connection whose client doesn't read.
const KERNEL_BUFFER_BYTES: usize = 32 << 10;
/// A connection whose peer takes nothing for this long is closed by the kernel, whether it is gone or only doesn't
/// read.
#[cfg(target_os = "linux")]
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Binds and listens. Accepted connections inherit the sizes of the buffers.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_recv_buffer_size(KERNEL_BUFFER_BYTES)?;
    socket.set_send_buffer_size(KERNEL_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Prepares an accepted connection.
pub(super) fn prepare(connection: &TcpStream) -> io::Result<()> {
    // Answers are written whole; holding one back until the client acknowledges what came before, such as TLS session
    // tickets, can cost it 40 ms.
    connection.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(connection).set_tcp_user_timeout(Some(UNREAD_TIMEOUT))?;
    Ok(())
}
