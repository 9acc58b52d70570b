//! Objects in Kubernetes' binary form, as clients with types send them (kubectl's `create` among
//! them). They are only read: answers are JSON, which every such client takes as well.
//!
//! Source: Kubernetes documentation, "API Concepts", "Alternate representations of resources";
//! the encoding is that of Protocol Buffers, version 2.

mod decode;
mod table;
mod wire;

pub(crate) use decode::decode;

/// The media type.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
