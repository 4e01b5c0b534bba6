//! Session tickets with keys that all replicas can share, so that a client resumes its session on
//! any of them.
//!
//! A ticket is the name of its key (8 bytes of the key's SHA-256), a random nonce, and the session
//! sealed with AES-256-GCM. The first key seals, every key opens: a new key is rolled out as the
//! last one first, and moved to the front once every replica has it.

use arc_swap::ArcSwap;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest, rand,
};
use rustls::server::ProducesTickets;
use std::sync::Arc;

const NAME: usize = 8;
/// How long clients may resume a session, in seconds: twelve hours.
const LIFETIME: u32 = 12 * 60 * 60;

struct Key {
    name: [u8; NAME],
    sealing: RandomizedNonceKey,
}

impl Key {
    fn new(secret: &[u8; 32]) -> Option<Self> {
        let hash = digest::digest(&digest::SHA256, secret);
        let name = hash.as_ref().first_chunk().copied()?;
        Some(Self { name, sealing: RandomizedNonceKey::new(&AES_256_GCM, secret).ok()? })
    }
}

/// The keys in use.
pub(super) struct Tickets {
    keys: ArcSwap<Vec<Key>>,
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tickets").field("keys", &self.keys.load().len()).finish()
    }
}

impl Tickets {
    /// A key of this process alone, in use until shared ones are installed.
    pub(super) fn random() -> Result<Self, rustls::Error> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(|_| rustls::Error::FailedToGetRandomBytes)?;
        Ok(Self { keys: ArcSwap::from_pointee(Key::new(&secret).into_iter().collect()) })
    }

    /// Puts shared keys in use; without any, the present ones stay.
    pub(super) fn install(&self, secrets: &[[u8; 32]]) {
        let keys: Vec<Key> = secrets.iter().filter_map(Key::new).collect();
        let same = keys.iter().map(|key| key.name).eq(self.keys.load().iter().map(|key| key.name));
        if !keys.is_empty() && !same {
            self.keys.store(Arc::new(keys));
        }
    }
}

/// The tickets of handshakes that ask clients for the same. A ticket of others does not open, so that nobody
/// who resumes a session gets around being asked.
#[derive(Debug)]
struct Scoped {
    tickets: Arc<Tickets>,
    /// What clients are asked for.
    scope: Option<u64>,
}

impl Tickets {
    /// The tickets of handshakes that ask clients for this.
    pub(super) fn of(self: &Arc<Self>, scope: Option<u64>) -> Arc<dyn ProducesTickets> {
        Arc::new(Scoped { tickets: Arc::clone(self), scope })
    }
}

impl Scoped {
    /// What is authenticated with a ticket, beside its content.
    fn bound(&self, key: &Key) -> Aad<Vec<u8>> {
        let scope = self.scope.map(u64::to_be_bytes);
        Aad::from([&key.name[..], scope.as_ref().map_or(&[][..], |scope| &scope[..])].concat())
    }
}

impl ProducesTickets for Scoped {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let keys = self.tickets.keys.load();
        let key = keys.first()?;
        let mut sealed = plain.to_vec();
        let nonce = key.sealing.seal_in_place_append_tag(self.bound(key), &mut sealed).ok()?;
        Some([&key.name[..], &nonce.as_ref()[..], &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let keys = self.tickets.keys.load();
        let key = keys.iter().find(|key| key.name == name)?;
        let mut opened = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = key.sealing.open_in_place(nonce, self.bound(key), &mut opened).ok()?.len();
        opened.truncate(length);
        Some(opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_on_every_replica_that_has_its_key() {
        let [all, others] = [(); 2].map(|()| Arc::new(Tickets::random().unwrap()));
        let (one, other) = (all.of(None), others.of(None));
        let ticket = one.encrypt(b"session").unwrap();
        assert_eq!(other.decrypt(&ticket), None, "keys of their own");
        all.install(&[[1; 32], [2; 32]]);
        others.install(&[[2; 32], [1; 32]]);
        let ticket = one.encrypt(b"session").unwrap();
        assert_eq!(other.decrypt(&ticket).unwrap(), b"session");
    }

    #[test]
    fn an_altered_ticket_does_not_open() {
        let tickets = Arc::new(Tickets::random().unwrap()).of(None);
        let ticket = tickets.encrypt(b"session").unwrap();
        for at in 0..ticket.len() {
            let mut altered = ticket.clone();
            altered[at] ^= 1;
            assert_eq!(tickets.decrypt(&altered), None, "byte {at}");
        }
        for length in 0..ticket.len() {
            assert_eq!(tickets.decrypt(&ticket[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_ticket_opens_for_the_same_demand_alone() {
        let tickets = Arc::new(Tickets::random().unwrap());
        let scopes = [None, Some(1), Some(2)];
        for sealed in scopes {
            let ticket = tickets.of(sealed).encrypt(b"session").unwrap();
            for opened in scopes {
                assert_eq!(tickets.of(opened).decrypt(&ticket).is_some(), opened == sealed, "{sealed:?} {opened:?}");
            }
        }
    }
}
