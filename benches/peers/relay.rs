//! A raw byte relay: two reads and two writes for each request, with no look at the bytes, which is
//! the least that any proxy can do. A connection of its own to the backend for each client.

use crate::{Endpoints, Failure, accept, connect, listen};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::spawn_local,
};

/// Relays to the backend.
pub(crate) async fn serve(port: u16, to: u16) -> Result<(), Failure> {
    let (listener, endpoints) = (listen(port).await?, Endpoints::new(to));
    loop {
        let client = accept(&listener).await?;
        spawn_local(carry(client, endpoints.next()));
    }
}

async fn carry(mut client: TcpStream, to: SocketAddr) {
    let Ok(mut server) = connect(to).await else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(()) = pass(&mut client, &mut server, &mut buffer).await {
        if pass(&mut server, &mut client, &mut buffer).await.is_err() {
            return;
        }
    }
}

async fn pass(from: &mut TcpStream, to: &mut TcpStream, buffer: &mut [u8]) -> Result<(), Failure> {
    let count = from.read(buffer).await?;
    if count == 0 {
        return Err("closed".into());
    }
    Ok(to.write_all(&buffer[..count]).await?)
}
