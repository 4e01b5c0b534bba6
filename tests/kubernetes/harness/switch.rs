//! What a load balancer is to a gateway: one address in front of processes that come and go. New
//! connections go to the newest target; those that are open stay where they are.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A running switch; dropping it closes every connection.
pub(crate) struct Switch {
    address: SocketAddr,
    target: watch::Sender<SocketAddr>,
    _tasks: JoinSet<()>,
}

impl Switch {
    /// A switch on a free port that leads to `target`.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port must be free");
        let address = listener.local_addr().expect("a listener has an address");
        let (target, targets) = watch::channel(target);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, targets));
        Self { address, target, _tasks: tasks }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections to `target`.
    pub(crate) fn turn(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }
}

async fn accept(listener: TcpListener, targets: watch::Receiver<SocketAddr>) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let target = *targets.borrow();
        connections.spawn(async move {
            // A client whose target is gone sees its connection close, and counts that.
            if let Ok(mut server) = TcpStream::connect(target).await {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}
