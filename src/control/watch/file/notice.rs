//! The system's notices that a folder has changed.

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::sync::mpsc;

/// How long one change may go on: a save is often several events.
const QUIET: Duration = Duration::from_millis(20);

/// Tells that something changed, not what: whoever is told looks for himself.
#[derive(Debug)]
pub(super) struct Notices {
    folder: PathBuf,
    watcher: RecommendedWatcher,
    dirty: mpsc::Receiver<()>,
    /// A notice that somebody was told of who then stopped waiting.
    told: bool,
}

impl Notices {
    /// Starts to watch a folder.
    pub(super) fn of(folder: &Path) -> notify::Result<Self> {
        // One place is enough: a notice that finds it taken would tell the same.
        let (sender, dirty) = mpsc::channel(1);
        let watched = folder.to_owned();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.map_or(true, |event| concerns(&event, &watched)) {
                let _full_is_fine = sender.try_send(());
            }
        })?;
        let mut notices = Self { folder: folder.to_owned(), watcher, dirty, told: false };
        notices.watcher.watch(folder, RecursiveMode::NonRecursive)?;
        if let Some(parent) = folder.parent() {
            // So that a folder which is put in place of this one is noticed. Not every parent may
            // be watched, and then that one case is lost.
            drop(notices.watcher.watch(parent, RecursiveMode::NonRecursive));
        }
        Ok(notices)
    }

    /// Waits for a change and until it is over.
    pub(super) async fn wait(&mut self) {
        if !self.told && self.dirty.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        self.told = true;
        tokio::time::sleep(QUIET).await;
        while self.dirty.try_recv().is_ok() {}
        self.told = false;
        // Does nothing unless another folder stands there now.
        drop(self.watcher.watch(&self.folder, RecursiveMode::NonRecursive));
    }
}

/// Reading files is an event too, and must not be one that makes us read them.
fn concerns(event: &Event, folder: &Path) -> bool {
    let writes = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    };
    let here = |path: &PathBuf| path == folder || path.parent() == Some(folder);
    writes && (event.need_rescan() || event.paths.iter().any(here))
}
