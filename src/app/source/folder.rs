//! A folder of files as the source, and what the demo tells a newcomer.

use super::Wiring;
use crate::{
    cli::demo,
    control::{change::Change, watch::file::FolderSource},
    lifecycle::Readiness,
};
use std::{fmt::Write as _, net::SocketAddr, path::Path, time::Duration};
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
    tokio::spawn(async move {
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
    });
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

    pub(super) fn announce(&self, addresses: &[(String, SocketAddr)], readiness: &Readiness) {
        if self.demo {
            let (text, readiness) = (welcome(addresses), readiness.clone());
            tokio::spawn(async move {
                while !readiness.is_ready() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                say(&text);
            });
        }
    }
}

fn say(text: &str) {
    use std::io::Write as _;
    // A closed standard output is no reason to stop.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// The routes of the quickstart and a line to try each.
fn welcome(addresses: &[(String, SocketAddr)]) -> String {
    let address = |name: &str| {
        let found = addresses.iter().find(|(listener, _)| listener == name);
        found.map_or_else(String::new, |(_, address)| address.to_string())
    };
    let (http, admin) = (address("http"), address("admin"));
    let tries = [
        ("/hello", "any path below /hello", format!("curl http://{http}/hello")),
        ("/shop", "prefix cut off", format!("curl http://{http}/shop/items?page=2")),
        ("/users/{id}", "a template, GET only", format!("curl http://{http}/users/42")),
        ("api.localhost", "a host of its own", format!("curl -H 'Host: api.localhost' http://{http}/v1/things")),
        ("(none)", "what no route takes", format!("curl -i http://{http}/nowhere")),
    ];
    let mut text = String::from("\n  ROUTE            WHAT                    TRY\n");
    for (route, what, line) in tries {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {route:<16} {what:<23} {line}");
    }
    let _ = write!(
        text,
        "\n  Ready?   curl http://{admin}/readyz\n  Metrics  curl http://{admin}/metrics\n\n  \
         Edit a file in the folder and try again. Ctrl-C stops.\n\n"
    );
    text
}
