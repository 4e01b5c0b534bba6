//! Install: from a published generation to what one core serves, in one swap.

use super::{core::Core, installed::Installed, tls::Tls};
use crate::{live::generation::Generation, table::swap::Subscriber};
use std::{rc::Rc, sync::Arc};

/// Installs each generation that is published, until the publisher stops. What all cores share
/// (certificates) is installed by the one that is given it.
pub(crate) async fn run(core: Rc<Core>, tls: Option<Arc<Tls>>, mut published: Subscriber<Generation>) {
    while let Ok(generation) = published.next().await {
        let number = generation.number;
        if let Some(tls) = &tls {
            tls.install(&generation.value.snapshot);
        }
        core.install(Installed::new(generation, Arc::clone(&core.settings.unrouted)));
        published.acknowledge(number);
    }
}
