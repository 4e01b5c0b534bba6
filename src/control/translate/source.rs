//! The objects that are translated: which version serves, and what is to be said of that.

use super::{Outcome, build::Build};
use crate::{
    control::{
        cache::{Held, Tracked, Unreadable},
        compile::{BUG, Compile, Finding},
    },
    model::{
        condition::{ConditionType, Reason},
        diagnostic::{Diagnostic, Kind, ObjectRef, Severity},
    },
    resource::GatewayRoute,
};
use k8s_openapi::{api::networking::v1::Ingress, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use std::sync::Arc;

/// An object of this gateway, of any kind that holds routes.
pub(super) enum Source<'a> {
    /// A GatewayRoute.
    Route(Selected<'a, GatewayRoute>),
    /// An Ingress.
    Ingress(Selected<'a, Ingress>),
}

impl Source<'_> {
    /// What decides who came first.
    pub(super) fn age(&self) -> (i64, &ObjectRef) {
        match self {
            Self::Route(route) => (route.created, &route.object),
            Self::Ingress(ingress) => (ingress.created, &ingress.object),
        }
    }
}

/// An object of this gateway and the version of it that serves.
pub(super) struct Selected<'a, T: Compile> {
    /// The object.
    pub(super) object: ObjectRef,
    /// When it was created, in seconds since the epoch.
    pub(super) created: i64,
    /// The version that serves.
    pub(super) serving: &'a Held<T>,
    newest: &'a Held<T>,
    unreadable: Option<&'a Unreadable>,
}

impl<'a, T: Compile> Selected<'a, T> {
    /// Selects an object if its newest version that can be read belongs to this gateway. An object
    /// of which no version could be read belongs to nobody: it is only explained.
    pub(super) fn new(
        build: &mut Build<'_>,
        kind: Kind,
        (namespace, name, tracked): (&Arc<str>, &Arc<str>, &'a Tracked<T>),
        meta: fn(&T) -> &ObjectMeta,
        is_ours: impl Fn(&T) -> bool,
    ) -> Option<Self> {
        let object = ObjectRef { kind, namespace: Arc::clone(namespace), name: Arc::clone(name) };
        let Some(newest) = tracked.newest() else {
            let message = tracked.unreadable().map(|why| why.message.clone()).unwrap_or_default();
            build.error(&object, "", ConditionType::Accepted, Reason::Invalid, message);
            return None;
        };
        if !is_ours(newest.object()) {
            return None;
        }
        let created = meta(newest.object()).creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
        let serving = tracked.serving().filter(|held| is_ours(held.object())).unwrap_or(newest);
        Some(Self { object, created, serving, newest, unreadable: tracked.unreadable() })
    }

    /// Says what is wrong with the newest version and which one serves, and starts the outcome.
    pub(super) fn open(
        &self,
        build: &mut Build<'_>,
        meta: fn(&T) -> &ObjectMeta,
        findings: fn(&T::Output) -> &[Finding],
    ) -> Outcome {
        let newest = meta(self.newest.object());
        for finding in findings(self.newest.compiled()) {
            build.note(self.diagnose(finding));
        }
        let mut generation = newest.generation.unwrap_or_default();
        if let Some(why) = self.unreadable {
            generation = why.generation.unwrap_or(generation);
            let message = format!("this version cannot be read: {}", why.message);
            build.error(&self.object, "", ConditionType::Accepted, Reason::Invalid, message);
        }
        if self.newest.is_condemned() {
            build.error(&self.object, "", ConditionType::Accepted, Reason::Invalid, BUG);
        }
        if self.serving.is_condemned() {
            let message = "no version of it can be served";
            build.error(&self.object, "", ConditionType::Programmed, Reason::Invalid, message);
        } else if self.unreadable.is_some() || !std::ptr::eq(self.newest, self.serving) {
            self.explain_last_good(build, meta(self.serving.object()));
        }
        Outcome {
            object: self.object.clone(),
            uid: newest.uid.as_deref().unwrap_or_default().into(),
            generation,
            upstreams: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn diagnose(&self, finding: &Finding) -> Diagnostic {
        Diagnostic {
            object: self.object.clone(),
            field: finding.field.clone(),
            severity: finding.severity,
            condition: ConditionType::Accepted,
            reason: finding.reason,
            message: finding.message.clone(),
        }
    }

    fn explain_last_good(&self, build: &mut Build<'_>, meta: &ObjectMeta) {
        let version = match meta.generation {
            Some(generation) => format!("generation {generation}"),
            None => "the version before".to_owned(),
        };
        build.note(Diagnostic {
            object: self.object.clone(),
            field: String::new(),
            severity: Severity::Error,
            condition: ConditionType::Programmed,
            reason: Reason::LastGoodServed,
            message: format!("the newest version cannot be used: {version} goes on serving until it is mended"),
        });
    }
}
