//! Who registered which services, by object and by service.
//!
//! Pods of one service mostly say the same but for their node, so that what they say besides is kept once. A change that
//! only moves nodes is told apart from one that routes can see.

use super::{slices::ServiceName, store::Store};
use crate::{
    control::registration::{Description, Node, Problem, Registered, Registration},
    model::diagnostic::Kind,
    rpc::registry::Dialect,
};
use std::{collections::BTreeSet, sync::Arc};

/// All registrations.
#[derive(Debug, Default)]
pub struct Registrations {
    pods: Store<Registration>,
    services: Store<Registration>,
    known: Store<Known>,
}

/// The dialects, that one first which wins between equal numbers of nodes.
const DIALECTS: [Dialect; 4] = [Dialect::Grpc, Dialect::Mucp, Dialect::MucpEnvelope, Dialect::Other];

/// What is known of one service, by its name.
#[derive(Debug, Default)]
pub struct Known {
    pods: BTreeSet<Arc<str>>,
    services: BTreeSet<Arc<str>>,
    /// What is said of it, each once, and how often.
    descriptions: Vec<(Arc<Description>, usize)>,
    /// How many nodes speak each dialect.
    spoken: [usize; DIALECTS.len()],
}

/// What routes can tell of a service.
#[derive(Debug, PartialEq)]
struct Shape {
    services: BTreeSet<Arc<str>>,
    descriptions: Vec<Arc<Description>>,
    dialect: Option<Dialect>,
    /// How many nodes are left out, which is explained.
    others: usize,
}

/// The kinds of object that register services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Pod,
    Service,
}

/// What a change of registrations touches.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Services whose nodes may be others now.
    pub(super) services: BTreeSet<ServiceName>,
    /// Whether routes, or what is said of objects, may be others too.
    pub(super) reroutes: bool,
}

impl Known {
    /// The Services that are said to be it, by name.
    pub fn services(&self) -> impl Iterator<Item = &Arc<str>> {
        self.services.iter()
    }

    /// What is said of it, each once, in no particular order.
    pub fn descriptions(&self) -> impl Iterator<Item = &Arc<Description>> {
        self.descriptions.iter().map(|(description, _)| description)
    }

    /// What most of its nodes speak, gRPC between equal numbers. `None`: there is no node.
    #[must_use]
    pub fn dialect(&self) -> Option<Dialect> {
        // Of equal numbers the last one is taken.
        let spoken = DIALECTS.into_iter().zip(self.spoken).rev().filter(|(_, count)| *count > 0);
        spoken.max_by_key(|(_, count)| *count).map(|(dialect, _)| dialect)
    }

    /// How many nodes speak something else than most.
    #[must_use]
    pub fn others(&self) -> usize {
        let dialect = self.dialect();
        let counts = DIALECTS.into_iter().zip(self.spoken);
        counts.filter(|(of, _)| Some(*of) != dialect).map(|(_, count)| count).sum()
    }

    fn shape(&self) -> Shape {
        Shape {
            services: self.services.clone(),
            descriptions: self.descriptions().cloned().collect(),
            dialect: self.dialect(),
            others: self.others(),
        }
    }

    fn enter(&mut self, registered: &mut Registered) {
        match self.descriptions.iter_mut().find(|(known, _)| *known == registered.description) {
            Some((known, count)) => {
                registered.description = Arc::clone(known);
                *count += 1;
            }
            None => self.descriptions.push((Arc::clone(&registered.description), 1)),
        }
        self.count(&registered.nodes, |count| *count += 1);
    }

    fn withdraw(&mut self, registered: &Registered) {
        if let Some((_, count)) = self.descriptions.iter_mut().find(|(known, _)| *known == registered.description) {
            *count -= 1;
        }
        self.descriptions.retain(|(_, count)| *count > 0);
        self.count(&registered.nodes, |count| *count -= 1);
    }

    fn count(&mut self, nodes: &[Node], change: impl Fn(&mut usize)) {
        for node in nodes {
            let counts = DIALECTS.iter().zip(&mut self.spoken);
            counts.filter(|(dialect, _)| **dialect == node.dialect).for_each(|(_, count)| change(count));
        }
    }

    fn note(&mut self, by: By, object: &Arc<str>, registers: bool) {
        let objects = match by {
            By::Pod => &mut self.pods,
            By::Service => &mut self.services,
        };
        if registers {
            objects.insert(Arc::clone(object))
        } else {
            objects.remove(object)
        };
    }
}

impl Registrations {
    /// A service by its name.
    #[must_use]
    pub fn get(&self, namespace: &str, service: &str) -> Option<&Known> {
        self.known.get(namespace, service)
    }

    /// The services of a namespace, by name.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = (&Arc<str>, &Known)> {
        self.known.in_namespace(namespace)
    }

    /// Every service, by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &Known)> {
        self.known.iter()
    }

    /// The nodes that Pods registered for a service, each with its Pod.
    pub fn nodes<'a>(
        &'a self,
        namespace: &str,
        service: &'a str,
    ) -> impl Iterator<Item = (&'a Registration, &'a Registered, &'a Node)> {
        let pods = self.get(namespace, service).into_iter().flat_map(|known| &known.pods);
        let pods: Vec<_> = pods.filter_map(|pod| self.pods.get(namespace, pod)).collect();
        let registered = pods.into_iter().flat_map(|pod| pod.services.iter().map(move |registered| (pod, registered)));
        registered
            .filter(move |(_, registered)| registered.description.name() == service)
            .flat_map(|(pod, registered)| registered.nodes.iter().map(move |node| (pod, registered, node)))
    }

    /// Who says something of a service, Pods and Services.
    pub fn objects<'a>(
        &'a self,
        namespace: &str,
        service: &'a str,
    ) -> impl Iterator<Item = (Kind, &'a Registration, &'a Registered)> {
        let known = self.get(namespace, service);
        let pods = known.into_iter().flat_map(|known| &known.pods).filter_map(|name| self.pods.get(namespace, name));
        let services =
            known.into_iter().flat_map(|known| &known.services).filter_map(|name| self.services.get(namespace, name));
        let objects = services.map(|object| (Kind::Service, object)).chain(pods.map(|object| (Kind::Pod, object)));
        let objects: Vec<_> = objects.collect();
        objects
            .into_iter()
            .flat_map(|(kind, object)| object.services.iter().map(move |registered| (kind, object, registered)))
            .filter(move |(.., registered)| registered.description.name() == service)
    }

    /// The services that a Service of Kubernetes is said to be.
    pub fn of_service<'a>(&'a self, namespace: &str, service: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.services.get(namespace, service).into_iter().flat_map(Registration::names)
    }

    /// The parts of registrations that are not used.
    pub fn problems(&self) -> impl Iterator<Item = (Kind, &Registration, &Problem)> {
        let of = |kind| move |(_, _, object)| (kind, object);
        let objects = self.services.iter().map(of(Kind::Service)).chain(self.pods.iter().map(of(Kind::Pod)));
        objects.flat_map(|(kind, object)| object.problems.iter().map(move |problem| (kind, object, problem)))
    }

    /// The services that Pods of a namespace registered.
    pub(super) fn of_pods<'a>(&self, namespace: &str, pods: impl Iterator<Item = &'a str>) -> BTreeSet<ServiceName> {
        let registrations = pods.filter_map(|pod| self.pods.get(namespace, pod));
        let names = registrations.flat_map(Registration::names);
        names.map(|name| (namespace.into(), name.into())).collect()
    }

    /// Whether no Pod registers anything.
    pub(super) fn has_no_pods(&self) -> bool {
        self.pods.is_empty()
    }

    /// The names of the Pods in one namespace, or in all.
    pub(super) fn pod_names(&self, scope: Option<&str>) -> Vec<(Arc<str>, Arc<str>)> {
        self.pods.names(scope)
    }

    /// Puts what an object registers in place of what it registered before.
    pub(super) fn put(&mut self, by: By, new: Registration) -> Moved {
        let (namespace, name) = (Arc::clone(&new.namespace), Arc::clone(&new.name));
        self.replace(by, &namespace, &name, Some(new).filter(|new| !new.is_empty()))
    }

    /// Forgets what an object registered.
    pub(super) fn remove(&mut self, by: By, namespace: &str, name: &str) -> Moved {
        self.replace(by, &namespace.into(), &name.into(), None)
    }

    fn replace(&mut self, by: By, namespace: &Arc<str>, name: &Arc<str>, new: Option<Registration>) -> Moved {
        let old = self.objects_of(by).remove(namespace, name);
        if old == new {
            if let Some(old) = old {
                self.objects_of(by).insert(namespace, name, old);
            }
            return Moved::default();
        }
        let problems = |registration: &Option<Registration>| registration.as_ref().map(|of| of.problems.clone());
        let explains = problems(&old).unwrap_or_default() != problems(&new).unwrap_or_default();
        let names: BTreeSet<Arc<str>> =
            old.iter().chain(&new).flat_map(Registration::names).map(Arc::<str>::from).collect();
        let before: Vec<_> = self.shapes(namespace, &names);
        self.exchange(by, (namespace, name), old.as_ref(), new);
        let reroutes = explains || before != self.shapes(namespace, &names);
        Moved { services: names.into_iter().map(|service| (Arc::clone(namespace), service)).collect(), reroutes }
    }

    /// The new one first: what both say stays where it is.
    fn exchange(
        &mut self,
        by: By,
        (namespace, name): (&Arc<str>, &Arc<str>),
        old: Option<&Registration>,
        mut new: Option<Registration>,
    ) {
        for registered in new.iter_mut().flat_map(|new| &mut new.services) {
            let service = Arc::from(registered.description.name());
            let known = self.known_or_new(namespace, &service);
            known.enter(registered);
            known.note(by, name, true);
        }
        for registered in old.into_iter().flat_map(|old| &old.services) {
            let service = registered.description.name();
            let stays = new.as_ref().is_some_and(|new| new.names().any(|name| name == service));
            let Some(known) = self.known.get_mut(namespace, service) else { continue };
            known.withdraw(registered);
            known.note(by, name, stays);
            if known.pods.is_empty() && known.services.is_empty() {
                self.known.remove(namespace, service);
            }
        }
        if let Some(new) = new {
            self.objects_of(by).insert(namespace, name, new);
        }
    }

    fn known_or_new(&mut self, namespace: &Arc<str>, service: &Arc<str>) -> &mut Known {
        if self.known.get(namespace, service).is_none() {
            self.known.insert(namespace, service, Known::default());
        }
        self.known.get_mut(namespace, service).expect("what was put in must be there")
    }

    fn shapes(&self, namespace: &str, names: &BTreeSet<Arc<str>>) -> Vec<Option<Shape>> {
        names.iter().map(|name| self.get(namespace, name).map(Known::shape)).collect()
    }

    const fn objects_of(&mut self, by: By) -> &mut Store<Registration> {
        match by {
            By::Pod => &mut self.pods,
            By::Service => &mut self.services,
        }
    }
}
