//! A raw byte relay: two reads and two writes for each request, with no look at the bytes, which is
//! the least that any proxy can do. A connection of its own to the backend for each client.

use crate::{Endpoints, Failure, accept, backend::answer, connect, listen};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::spawn_local,
};

/// What is read at once, at least.
const BUFFER: usize = 16 * 1024;

/// Relays to a backend of this kind.
pub(crate) async fn serve(port: u16, to: u16, kind: &str) -> Result<(), Failure> {
    let (listener, endpoints, length) = (listen(port).await?, Endpoints::new(to), answer(kind)?.len());
    loop {
        let client = accept(&listener).await?;
        spawn_local(carry(client, endpoints.next(), length));
    }
}

/// Each answer has this length; a request comes in one piece.
async fn carry(mut client: TcpStream, to: SocketAddr, length: usize) {
    let Ok(mut server) = connect(to).await else { return };
    let mut buffer = vec![0; BUFFER.max(length)];
    while pass(&mut client, &mut server, &mut buffer).await.is_ok() {
        let mut left = length;
        while left > 0 {
            let Ok(count) = pass(&mut server, &mut client, &mut buffer).await else { return };
            left = left.saturating_sub(count);
        }
    }
}

/// Passes on what there is, and says how much it was.
async fn pass(from: &mut TcpStream, to: &mut TcpStream, buffer: &mut [u8]) -> Result<usize, Failure> {
    let count = from.read(buffer).await?;
    if count == 0 {
        return Err("closed".into());
    }
    to.write_all(&buffer[..count]).await?;
    Ok(count)
}
