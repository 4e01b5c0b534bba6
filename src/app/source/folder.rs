//! A folder of files as the source.

use super::Wiring;
use crate::{
    cli::{demo, welcome::welcome},
    control::{change::Change, publish::Published, watch::file::FolderSource},
};
use std::{net::SocketAddr, path::Path};
use tokio::sync::{mpsc, watch};

/// What runs for a folder.
pub(in crate::app) struct Running {
    synced: watch::Receiver<bool>,
    demo: bool,
}

/// Reads the folder, and follows it from then on.
pub(super) async fn start(folder: &Path, demo: bool, wiring: Wiring) -> Result<Running, String> {
    let (mut source, mut first) = FolderSource::open(folder).map_err(|error| error.to_string())?;
    if demo {
        first.extend(demo::start().await.map_err(|error| format!("the echo endpoints cannot start: {error}"))?);
    }
    let (sender, synced) = watch::channel(false);
    let changes = wiring.changes;
    tokio::spawn(wiring.vitals.hold("the watch of the folder", async move {
        if deliver(&changes, first).await.is_err() {
            return;
        }
        sender.send_replace(true);
        loop {
            let next = source.next().await;
            if deliver(&changes, next).await.is_err() {
                return;
            }
        }
    }));
    Ok(Running { synced, demo })
}

async fn deliver(to: &mpsc::Sender<Change>, changes: Vec<Change>) -> Result<(), mpsc::error::SendError<Change>> {
    for change in changes {
        to.send(change).await?;
    }
    Ok(())
}

impl Running {
    pub(super) fn synced(&self) -> watch::Receiver<bool> {
        self.synced.clone()
    }

    /// Tells what can be tried, once the first table is installed.
    pub(super) fn announce(
        &self,
        addresses: &[(String, SocketAddr)],
        mut published: watch::Receiver<Option<Published>>,
    ) {
        if !self.demo {
            return;
        }
        let addresses = addresses.to_vec();
        tokio::spawn(async move {
            if let Ok(first) = published.wait_for(Option::is_some).await
                && let Some(first) = &*first
            {
                say(&welcome(&addresses, &first.generation.value));
            }
        });
    }
}

fn say(text: &str) {
    use std::io::Write as _;
    // A closed standard output is no reason to stop.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
