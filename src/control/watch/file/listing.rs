//! The files of a folder that are read.

use super::problem::Problem;
use crate::model::diagnostic::Severity;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What a folder has.
#[derive(Debug, Default)]
pub struct Listing {
    /// The files to read, by name.
    pub files: Vec<PathBuf>,
    /// What has the name of such a file and is none, with the reason, by name.
    pub ignored: Vec<Problem>,
}

/// Lists *.yaml, *.yml and *.json directly in a folder, not hidden.
///
/// # Errors
///
/// The folder cannot be read.
pub fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_ours(&path) {
            listing.add(path);
        }
    }
    listing.files.sort();
    listing.ignored.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(listing)
}

impl Listing {
    fn add(&mut self, path: PathBuf) {
        let why = match fs::metadata(&path) {
            Ok(found) if found.is_file() => return self.files.push(path),
            Ok(found) if found.is_dir() => return,
            Ok(_) => "it is a pipe, a device or a socket".to_owned(),
            // Gone since the folder was listed.
            Err(_) if fs::symlink_metadata(&path).is_err() => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => "it is a link that leads nowhere".to_owned(),
            Err(error) => format!("it cannot be followed: {error}"),
        };
        self.ignored.push(Problem::of_file(path, Severity::Warning, format!("is ignored: {why}")));
    }
}

/// Hidden files are what editors and volume mounts keep for themselves.
fn is_ours(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    !hidden && matches!(extension.as_deref(), Some("yaml" | "yml" | "json"))
}
