//! The one normalisation of request paths.
