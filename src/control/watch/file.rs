//! The folder source: the same YAML that `kubectl apply` takes, read from files and watched.
//!
//! What the API server would refuse is refused here too, with the file, the line and the field.
//! While running, a broken file keeps the objects of its last good version. Nothing is polled: the
//! system reports changes of the folder.

mod document;
mod doubt;
mod folder;
mod lines;
mod listing;
mod load;
mod notice;
mod object;
mod problem;
#[cfg(test)]
mod tests;

pub use listing::{Listing, list};
pub use load::{Item, Loaded, load};
pub use problem::Problem;

use crate::{
    control::change::{Change, Scope, with_registrations},
    model::diagnostic::{Kind, Severity},
};
use folder::Folder;
use notice::Notices;
use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Instant,
};

/// A folder of YAML and JSON files as a source of changes.
#[derive(Debug)]
pub struct FolderSource {
    folder: Folder,
    notices: Notices,
}

/// Why a folder cannot be served from.
#[derive(Debug)]
pub enum FolderError {
    /// The folder cannot be read.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Some files cannot be used. Every problem is listed.
    Broken(Vec<Problem>),
    /// The system does not report changes of the folder.
    Watch {
        /// The folder.
        path: PathBuf,
        /// Why.
        cause: notify::Error,
    },
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, cause } => {
                write!(
                    f,
                    "{}: cannot be read: {cause}; name a folder with *.yaml, *.yml or *.json files",
                    path.display()
                )
            }
            Self::Watch { path, cause } => {
                write!(f, "{}: changes cannot be watched: {}", path.display(), unwatchable(cause))
            }
            Self::Broken(problems) => {
                for (index, problem) in problems.iter().enumerate() {
                    if index > 0 {
                        writeln!(f)?;
                    }
                    write!(f, "{problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for FolderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Folder { cause, .. } => Some(cause),
            Self::Watch { cause, .. } => Some(cause),
            Self::Broken(_) => None,
        }
    }
}

impl FolderSource {
    /// Reads a folder and starts to watch it. The changes are the whole content, one
    /// [`Change::Replace`] per kind.
    ///
    /// # Errors
    ///
    /// The folder cannot be read or watched, or one of its files is broken.
    pub fn open(path: &Path) -> Result<(Self, Vec<Change>), FolderError> {
        let path = std::path::absolute(path).map_err(|cause| FolderError::Folder { path: path.to_owned(), cause })?;
        // Watched before it is read, or a change in between would be missed.
        let notices = if path.is_dir() { Some(Notices::of(&path)) } else { None };
        let mut folder = Folder::new(path.clone());
        let (changes, problems) =
            folder.scan(Instant::now()).map_err(|cause| FolderError::Folder { path: path.clone(), cause })?;
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(FolderError::Broken(problems));
        }
        report(&problems);
        let notices = match notices {
            Some(Ok(notices)) => notices,
            Some(Err(cause)) => return Err(FolderError::Watch { path, cause }),
            None => return Err(FolderError::Folder { path, cause: io::ErrorKind::NotADirectory.into() }),
        };
        Ok((Self { folder, notices }, complete(with_registrations(changes))))
    }

    /// Waits for the next changes. Cancelling it loses none.
    pub async fn next(&mut self) -> Vec<Change> {
        loop {
            self.wait().await;
            // Small local files: reading them here costs less than handing them to another thread.
            match self.folder.scan(Instant::now()) {
                Ok((changes, problems)) => {
                    report(&problems);
                    if !changes.is_empty() {
                        return with_registrations(changes);
                    }
                }
                Err(cause) => {
                    let folder = self.folder.path().display();
                    tracing::warn!(%folder, %cause, "the folder cannot be read: what was read before goes on serving");
                }
            }
        }
    }

    /// Waits until something may have changed.
    async fn wait(&mut self) {
        let Some(until) = self.folder.doubtful_until() else { return self.notices.wait().await };
        tokio::select! {
            () = self.notices.wait() => {}
            () = tokio::time::sleep_until(until.into()) => {}
        }
    }
}

/// Why changes cannot be watched. The library tells it in words of its own.
fn unwatchable(cause: &notify::Error) -> String {
    match &cause.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the system allows no more watches: raise fs.inotify.max_user_watches".to_owned()
        }
        notify::ErrorKind::Io(error) => {
            format!("{error}; where too many files are open, raise fs.inotify.max_user_instances")
        }
        _ => "the system does not report them".to_owned(),
    }
}

/// The objects of some files as changes, in the order of the files, and what is wrong with them
/// together.
#[must_use]
pub fn join(loaded: &mut [Loaded]) -> (Vec<Change>, Vec<Problem>) {
    let mut problems = Vec::new();
    let items = loaded.iter_mut().flat_map(|loaded| &mut loaded.items);
    let changes = folder::Memory::default().changes(items, &mut problems);
    (with_registrations(changes), problems)
}

/// One line per problem; a broken file keeps its last good version.
fn report(problems: &[Problem]) {
    for problem in problems {
        match problem.severity {
            Severity::Warning => tracing::warn!("{problem}"),
            Severity::Error => tracing::error!("{problem}; the last good version of the file goes on serving"),
        }
    }
}

/// The first changes as the whole content of every kind, so that each counts as synced.
fn complete(changes: Vec<Change>) -> Vec<Change> {
    let mut objects: Vec<_> = changes
        .into_iter()
        .filter_map(|change| match change {
            Change::Upsert(object) => Some(object),
            Change::Delete(_) | Change::Unreadable { .. } | Change::Replace { .. } => None,
        })
        .collect();
    let replace = |kind| {
        let of_kind = objects.extract_if(.., |object| object.reference().kind == kind).collect();
        Change::Replace { scope: Scope { kind, namespace: None }, objects: of_kind, unreadable: Vec::new() }
    };
    Kind::ALL.into_iter().map(replace).collect()
}
