//! The backend: it answers as cheaply as it can, because it shares a core with the load.

use crate::{ENDPOINTS, Endpoints, Failure, accept};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

/// What the backend answers: a body of 65 bytes.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 65\r\n\r\n\
    {\"id\":\"0123456789\",\"name\":\"a small answer of sixty-five bytes..\"}";

/// Answers on all addresses of the backend.
pub(crate) async fn serve(port: u16) -> Result<(), Failure> {
    let endpoints = Endpoints::new(port);
    for _ in 1..ENDPOINTS {
        spawn_local(answer_all(TcpListener::bind(endpoints.next()).await?));
    }
    answer_all(TcpListener::bind(endpoints.next()).await?).await;
    Ok(())
}

async fn answer_all(listener: TcpListener) {
    while let Ok(stream) = accept(&listener).await {
        spawn_local(answer(stream));
    }
}

/// Answers requests without bodies until the peer leaves.
async fn answer(mut stream: TcpStream) {
    let mut head = Vec::with_capacity(4096);
    while let Ok(1..) = stream.read_buf(&mut head).await {
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}
