//! The cache: every object that the sources reported, and what each change touches.
//!
//! One task owns it. A change that only moves endpoints takes the short road and never rebuilds
//! the table; a change that means nothing to routing (a status, a resource version) touches
//! nothing. Objects that users write keep their last good version beside the newest.

mod pods;
mod registrations;
mod slices;
mod store;
#[cfg(test)]
mod tests;
mod tracked;

pub use pods::{BadWeight, MOST_WEIGHT, Pods, WEIGHT};
pub use registrations::{Known, Registrations};
pub use slices::{BadAsk, SERVICE_LABEL, ServiceName, Slices, asked_weight, pod_of};
pub use store::Store;
pub use tracked::{Held, Tracked, Unreadable};

use super::{
    change::{Change, Object, Scope},
    compile::{Compile, authorities::AuthoritySecret},
    registration::Registration,
};
use crate::{
    model::diagnostic::{Kind, ObjectRef},
    resource::GatewayRoute,
};
use gateway_api::apis::standard::referencegrants::ReferenceGrant;
use k8s_openapi::api::{
    core::v1::{Namespace, Secret, Service},
    discovery::v1::EndpointSlice,
    networking::v1::{Ingress, IngressClass},
};
use pods::Touched;
use registrations::{By, Moved};
use slices::Shifted;
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

/// What a change touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that runs.
    #[default]
    Nothing,
    /// The endpoints of these Services, and no route.
    Endpoints(BTreeSet<ServiceName>),
    /// The table. The endpoints of any Service may be others too.
    Table,
}

impl Effect {
    /// What both touch together.
    pub fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Endpoints(mine), Self::Endpoints(mut theirs)) => mine.append(&mut theirs),
            (Self::Table, _) | (_, Self::Nothing) => {}
            (_, other) => *self = other,
        }
    }

    fn table_if(changed: bool) -> Self {
        if changed { Self::Table } else { Self::Nothing }
    }

    /// Moved nodes take the short road.
    fn of_registrations(moved: Moved) -> Self {
        if moved.reroutes { Self::Table } else { Self::endpoints(moved.services) }
    }

    /// Whatever is told of a slice changes with it.
    fn of_slices(shifted: Shifted) -> Self {
        if shifted.explains { Self::Table } else { Self::endpoints(shifted.services) }
    }

    fn endpoints(services: BTreeSet<ServiceName>) -> Self {
        if services.is_empty() { Self::Nothing } else { Self::Endpoints(services) }
    }
}

/// Every object known, by kind.
#[derive(Debug, Default)]
pub struct Cache {
    /// GatewayRoutes of every class.
    pub routes: Store<Tracked<GatewayRoute>>,
    /// Ingresses of every class.
    pub ingresses: Store<Tracked<Ingress>>,
    /// Secrets of the namespaces that are read.
    pub secrets: Store<Tracked<Secret>>,
    /// The authorities in these Secrets.
    pub authorities: Store<Tracked<AuthoritySecret>>,
    /// Services.
    pub services: Store<Arc<Service>>,
    /// EndpointSlices.
    pub slices: Slices,
    /// Namespaces, by an empty namespace and their name.
    pub namespaces: Store<Arc<Namespace>>,
    /// IngressClasses, by an empty namespace and their name.
    pub classes: Store<Arc<IngressClass>>,
    /// ReferenceGrants.
    pub grants: Store<Arc<ReferenceGrant>>,
    /// Pods that ask for a weight.
    pub pods: Pods,
    /// Services that registered themselves, or were registered.
    pub registrations: Registrations,
}

impl Cache {
    /// Takes a change in and says what it touches.
    pub fn apply(&mut self, change: Change) -> Effect {
        match change {
            Change::Upsert(object) => self.upsert(object),
            Change::Delete(object) => self.delete(&object),
            Change::Unreadable { object, generation, message } => {
                self.mark_unreadable(&object, Unreadable { generation, message })
            }
            Change::Replace { scope, objects, unreadable } => self.replace(&scope, objects, unreadable),
        }
    }

    fn upsert(&mut self, object: Object) -> Effect {
        let ObjectRef { namespace, name, .. } = object.reference();
        match object {
            Object::GatewayRoute(object) => track(&mut self.routes, &namespace, &name, object),
            Object::Ingress(object) => track(&mut self.ingresses, &namespace, &name, object),
            Object::Secret(object) => {
                let mut effect = self.track_authorities(&namespace, &name, &object);
                effect.merge(track(&mut self.secrets, &namespace, &name, object));
                effect
            }
            Object::EndpointSlice(object) => self.upsert_slice(&namespace, &name, object),
            Object::Service(object) => {
                let registered = self.registrations.put(By::Service, Registration::of_service(&object));
                let mut effect = Effect::of_registrations(registered);
                effect.merge(keep(&mut self.services, &namespace, &name, object, |a, b| a.spec == b.spec));
                effect
            }
            // Nothing of a Namespace is used, not even its end: its objects are deleted one by one.
            Object::Namespace(object) => {
                self.namespaces.insert(&namespace, &name, object);
                Effect::Nothing
            }
            Object::IngressClass(object) => keep(&mut self.classes, &namespace, &name, object, |a, b| {
                a.spec == b.spec && a.metadata.annotations == b.metadata.annotations
            }),
            Object::ReferenceGrant(object) => {
                keep(&mut self.grants, &namespace, &name, object, |a, b| a.spec == b.spec)
            }
            Object::Pod(object) => {
                let mut touched = Touched::default();
                self.pods.upsert(&namespace, &name, &object, &mut touched);
                self.effect_of(&touched)
            }
            Object::PodRegistration(object) => {
                let registration = Arc::unwrap_or_clone(object);
                Effect::of_registrations(self.registrations.put(By::Pod, registration))
            }
        }
    }

    /// The state of Pods that registered services stands in slices.
    fn upsert_slice(&mut self, namespace: &Arc<str>, name: &Arc<str>, slice: Arc<EndpointSlice>) -> Effect {
        let new = self.registered_by(namespace, &slice);
        let old = self.slices.get(namespace, name).map(|old| self.registered_by(namespace, old)).unwrap_or_default();
        let mut shifted = self.slices.upsert(namespace, name, slice);
        if !shifted.services.is_empty() {
            shifted.services.extend(old.into_iter().chain(new));
        }
        Effect::of_slices(shifted)
    }

    fn remove_slice(&mut self, namespace: &str, name: &str) -> Effect {
        let old = self.slices.get(namespace, name).map(|old| self.registered_by(namespace, old)).unwrap_or_default();
        let mut shifted = self.slices.remove(namespace, name);
        shifted.services.extend(old);
        Effect::of_slices(shifted)
    }

    /// The services that the Pods of a slice registered.
    fn registered_by(&self, namespace: &str, slice: &EndpointSlice) -> BTreeSet<ServiceName> {
        if self.registrations.has_no_pods() {
            return BTreeSet::new();
        }
        let pods = slice.endpoints.iter().filter_map(pod_of).map(|(pod, _)| pod);
        self.registrations.of_pods(namespace, pods)
    }

    /// Few Secrets have authorities. One that had some and loses them keeps its last good ones.
    fn track_authorities(&mut self, namespace: &Arc<str>, name: &Arc<str>, secret: &Secret) -> Effect {
        let authorities = AuthoritySecret::of(secret);
        if authorities.is_empty() && self.authorities.get(namespace, name).is_none() {
            return Effect::Nothing;
        }
        track(&mut self.authorities, namespace, name, Arc::new(authorities))
    }

    fn delete(&mut self, object: &ObjectRef) -> Effect {
        let (namespace, name) = (&*object.namespace, &*object.name);
        let gone = match object.kind {
            Kind::GatewayRoute => self.routes.remove(namespace, name).is_some(),
            Kind::Ingress => self.ingresses.remove(namespace, name).is_some(),
            Kind::Secret => {
                self.authorities.remove(namespace, name);
                self.secrets.remove(namespace, name).is_some()
            }
            Kind::Service => {
                self.registrations.remove(By::Service, namespace, name);
                self.services.remove(namespace, name).is_some()
            }
            Kind::IngressClass => self.classes.remove(namespace, name).is_some(),
            Kind::ReferenceGrant => self.grants.remove(namespace, name).is_some(),
            Kind::EndpointSlice => return self.remove_slice(namespace, name),
            Kind::Namespace => {
                self.namespaces.remove(namespace, name);
                false
            }
            Kind::Pod => {
                let mut touched = Touched::default();
                self.pods.remove(namespace, name, &mut touched);
                return self.effect_of(&touched);
            }
            Kind::PodRegistration => {
                return Effect::of_registrations(self.registrations.remove(By::Pod, namespace, name));
            }
        };
        Effect::table_if(gone)
    }

    /// Objects whose last good version nobody keeps apart simply stay as they are.
    fn mark_unreadable(&mut self, object: &ObjectRef, why: Unreadable) -> Effect {
        match object.kind {
            Kind::GatewayRoute => mark(&mut self.routes, object, why),
            Kind::Ingress => mark(&mut self.ingresses, object, why),
            Kind::Secret => {
                if self.authorities.get(&object.namespace, &object.name).is_some() {
                    mark(&mut self.authorities, object, why.clone());
                }
                mark(&mut self.secrets, object, why)
            }
            Kind::Service
            | Kind::EndpointSlice
            | Kind::Namespace
            | Kind::IngressClass
            | Kind::ReferenceGrant
            | Kind::Pod
            | Kind::PodRegistration => Effect::Nothing,
        }
    }

    fn replace(&mut self, scope: &Scope, objects: Vec<Object>, unreadable: Vec<(ObjectRef, String)>) -> Effect {
        if scope.kind == Kind::Pod {
            return self.replace_pods(scope, &objects);
        }
        let mut stay: HashSet<ObjectRef> = objects.iter().map(Object::reference).collect();
        stay.extend(unreadable.iter().map(|(object, _)| object.clone()));
        let mut effect = Effect::Nothing;
        for (namespace, name) in self.names(scope) {
            let object = ObjectRef { kind: scope.kind, namespace, name };
            if !stay.contains(&object) {
                effect.merge(self.delete(&object));
            }
        }
        for object in objects {
            effect.merge(self.upsert(object));
        }
        for (object, message) in unreadable {
            effect.merge(self.mark_unreadable(&object, Unreadable { generation: None, message }));
        }
        effect
    }

    /// All at once, so that slices are looked through once for all of them. Metadata can always be
    /// read.
    fn replace_pods(&mut self, scope: &Scope, objects: &[Object]) -> Effect {
        let mut touched = Touched::default();
        let stay: HashSet<ObjectRef> = objects.iter().map(Object::reference).collect();
        for (namespace, name) in self.names(scope) {
            if !stay.contains(&ObjectRef {
                kind: Kind::Pod,
                namespace: Arc::clone(&namespace),
                name: Arc::clone(&name),
            }) {
                self.pods.remove(&namespace, &name, &mut touched);
            }
        }
        for object in objects {
            if let Object::Pod(pod) = object {
                let ObjectRef { namespace, name, .. } = object.reference();
                self.pods.upsert(&namespace, &name, pod, &mut touched);
            }
        }
        self.effect_of(&touched)
    }

    /// Weights take the short road; what is to be said of them comes with a table.
    fn effect_of(&self, touched: &Touched) -> Effect {
        if touched.explains {
            return Effect::Table;
        }
        let mut services = self.slices.services_of(&touched.pods);
        for (namespace, pod) in &touched.pods {
            services.append(&mut self.registrations.of_pods(namespace, std::iter::once(&**pod)));
        }
        Effect::endpoints(services)
    }

    fn names(&self, scope: &Scope) -> Vec<(Arc<str>, Arc<str>)> {
        let namespace = scope.namespace.as_deref();
        match scope.kind {
            Kind::GatewayRoute => self.routes.names(namespace),
            Kind::Ingress => self.ingresses.names(namespace),
            Kind::Secret => self.secrets.names(namespace),
            Kind::Service => self.services.names(namespace),
            Kind::EndpointSlice => self.slices.names(namespace),
            Kind::Namespace => self.namespaces.names(namespace),
            Kind::IngressClass => self.classes.names(namespace),
            Kind::ReferenceGrant => self.grants.names(namespace),
            Kind::Pod => self.pods.names(namespace),
            Kind::PodRegistration => self.registrations.pod_names(namespace),
        }
    }
}

fn track<T: Compile>(store: &mut Store<Tracked<T>>, namespace: &Arc<str>, name: &Arc<str>, object: Arc<T>) -> Effect {
    if let Some(tracked) = store.get_mut(namespace, name) {
        return Effect::table_if(tracked.update(object));
    }
    store.insert(namespace, name, Tracked::new(object));
    Effect::Table
}

fn mark<T: Compile>(store: &mut Store<Tracked<T>>, object: &ObjectRef, why: Unreadable) -> Effect {
    if let Some(tracked) = store.get_mut(&object.namespace, &object.name) {
        return Effect::table_if(tracked.mark_unreadable(why));
    }
    store.insert(&object.namespace, &object.name, Tracked::never_read(why));
    Effect::Table
}

fn keep<T>(
    store: &mut Store<Arc<T>>,
    namespace: &Arc<str>,
    name: &Arc<str>,
    object: Arc<T>,
    same: fn(&T, &T) -> bool,
) -> Effect {
    let new = Arc::clone(&object);
    let old = store.insert(namespace, name, object);
    Effect::table_if(old.is_none_or(|old| !same(&old, &new)))
}
