//! What the registry handler tells those who watch.

use super::Service;
use serde::Serialize;

/// What became of the nodes of a service. The first of them is an update too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// They are there, or are there as before.
    Update,
    /// They are gone.
    Delete,
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Change<'a> {
    /// What happened.
    pub action: Action,
    /// The service, with the nodes that it happened to.
    pub service: &'a Service,
}

impl Change<'_> {
    /// The text of the frame that tells it.
    #[must_use]
    pub fn frame(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
