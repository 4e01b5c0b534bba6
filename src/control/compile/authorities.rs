//! The authorities in a Secret, apart from the certificate beside them: what is wrong with the one
//! says nothing about the other, so each has a last good version of its own.

use super::{
    Compile,
    certificate::{self, CertificateError},
};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use rustls::RootCertStore;
use std::{collections::BTreeMap, sync::Arc};

/// The part of a Secret that names authorities.
#[derive(Debug)]
pub struct AuthoritySecret(Secret);

/// Authorities that certificates may lead to.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// Ready for handshakes.
    pub roots: Arc<RootCertStore>,
    /// The bytes that say so.
    pub bytes: Box<[u8]>,
}

impl AuthoritySecret {
    /// That part of a Secret.
    #[must_use]
    pub fn of(secret: &Secret) -> Self {
        let metadata = ObjectMeta { uid: secret.metadata.uid.clone(), ..ObjectMeta::default() };
        let entry = secret.data.as_ref().and_then(|data| data.get_key_value(certificate::AUTHORITIES));
        let data: BTreeMap<String, ByteString> =
            entry.map(|(key, value)| (key.clone(), value.clone())).into_iter().collect();
        Self(Secret { metadata, data: Some(data), ..Secret::default() })
    }

    /// Whether it names none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.data.as_ref().is_none_or(BTreeMap::is_empty)
    }
}

impl Compile for AuthoritySecret {
    type Output = Result<Authorities, CertificateError>;

    fn compile(&self) -> Self::Output {
        let (roots, bytes) = certificate::authorities(&self.0)?;
        Ok(Authorities { roots: Arc::new(roots), bytes: bytes.into() })
    }

    fn failed() -> Self::Output {
        Err(CertificateError::Authorities("it broke the parser".to_owned()))
    }

    fn is_good(output: &Self::Output) -> bool {
        output.is_ok()
    }

    fn same_object(old: &Self, new: &Self) -> bool {
        old.0.metadata.uid == new.0.metadata.uid
    }

    fn same_meaning(old: &Self, new: &Self) -> bool {
        Self::same_object(old, new) && old.0.data == new.0.data
    }
}
