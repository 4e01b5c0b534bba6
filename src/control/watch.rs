//! Sources of changes: each reports what users wrote, as `control::change` words.

#[cfg(feature = "kubernetes")]
pub mod kubernetes;
