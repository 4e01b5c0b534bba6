//! Why a serving process ends before it is told to, and the exit code that says so.

use crate::lifecycle::vital::Lost;

/// Why a serving process ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It cannot start as it was told to.
    #[error("{0}")]
    Start(String),
    /// It started, and then lost a part of itself.
    #[error("{0}")]
    Lost(#[from] Lost),
}

impl Failure {
    /// 2 where the operator must mend something, 1 where a restart may help.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Start(_) => super::USAGE,
            Self::Lost(_) => 1,
        }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Start(message)
    }
}
