//! The settings of Service ports, each with the object that set it first.

use crate::resource::EndpointTls;
use crate::{
    control::compile::policy::Setting,
    model::{diagnostic::ObjectRef, target::ServicePort, upstream::UpstreamPolicy},
};
use std::{collections::HashMap, mem::discriminant};

/// Who sets the policy of which Service port.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    claims: HashMap<ServicePort, Vec<Claim>>,
}

#[derive(Clone, Debug)]
struct Claim {
    setting: Setting,
    owner: ObjectRef,
}

/// A setting that an older object sets to something else.
pub(super) struct Conflict {
    /// The field that sets it.
    pub(super) field: &'static str,
    /// Who came first.
    pub(super) owner: ObjectRef,
}

impl Policies {
    /// The policy of a port.
    pub(super) fn of(&self, port: &ServicePort) -> UpstreamPolicy {
        let mut policy = UpstreamPolicy::default();
        self.claims.get(port).into_iter().flatten().for_each(|claim| claim.setting.apply(&mut policy));
        policy
    }

    /// The object that sets a field of the policy of a port.
    #[must_use]
    pub fn owner(&self, port: &ServicePort, field: &str) -> Option<&ObjectRef> {
        let claims = self.claims.get(port)?;
        claims.iter().find(|claim| claim.setting.field() == field).map(|claim| &claim.owner)
    }

    /// How TLS is spoken to the endpoints of a port, and the object that says so.
    pub(super) fn tls_of(&self, port: &ServicePort) -> Option<(&EndpointTls, &ObjectRef)> {
        self.claims.get(port)?.iter().find_map(|claim| match &claim.setting {
            Setting::Tls(tls) => Some((&**tls, &claim.owner)),
            _ => None,
        })
    }

    /// Sets what nobody has set yet. A setting that somebody has set to the same is no conflict.
    pub(super) fn claim<'s>(
        &mut self,
        port: &ServicePort,
        owner: &ObjectRef,
        settings: impl Iterator<Item = &'s Setting>,
    ) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for setting in settings {
            let claims = self.claims.entry(port.clone()).or_default();
            match claims.iter().find(|claim| discriminant(&claim.setting) == discriminant(setting)) {
                None => claims.push(Claim { setting: setting.clone(), owner: owner.clone() }),
                Some(winner) if winner.setting != *setting => {
                    conflicts.push(Conflict { field: setting.field(), owner: winner.owner.clone() });
                }
                Some(_) => {}
            }
        }
        conflicts
    }
}
