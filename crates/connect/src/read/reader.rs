//! Reading fields that may be missing or malformed, with a defect for each that is.

use serde_json::Value;
use underpin_model::{FieldPath, LabelSelector, Object};

use crate::{
    addresses::AddressRange,
    labels::Selector,
    policy::{Defect, Peer, PeerId, Peers},
    ports::Protocol,
};

/// One object being read.
pub(crate) struct Reader<'a> {
    object: &'a Object,
    peers: &'a mut Peers,
    defects: &'a mut Vec<Defect>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        object: &'a Object,
        peers: &'a mut Peers,
        defects: &'a mut Vec<Defect>,
    ) -> Self {
        Self {
            object,
            peers,
            defects,
        }
    }

    /// The kind of the object.
    pub(crate) fn kind(&self) -> &str {
        &self.object.key.kind.kind
    }

    pub(crate) fn peer(&mut self, peer: Peer) -> PeerId {
        self.peers.intern(peer)
    }

    pub(crate) fn defect(&mut self, path: &FieldPath, note: impl Into<String>) {
        let evidence = self.object.evidence(path.clone(), note);
        self.defects.push(Defect { evidence });
    }

    /// A selector; a missing one is `None`.
    pub(crate) fn selector(
        &mut self,
        parent: &Value,
        path: &FieldPath,
        key: &str,
    ) -> Option<Selector> {
        let value = field(parent, key)?;
        Some(match LabelSelector::from_structured(value) {
            Some(selector) => Selector::Readable(selector),
            None => {
                self.defect(&path.key(key), "is no valid label selector");
                Selector::Unreadable
            }
        })
    }

    /// A list; `None` when it is missing, `Err` when it is no list.
    pub(crate) fn list<'v>(
        &mut self,
        parent: &'v Value,
        path: &FieldPath,
        key: &str,
    ) -> Result<Option<&'v [Value]>, Malformed> {
        match field(parent, key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => {
                self.defect(&path.key(key), "is no list");
                Err(Malformed)
            }
        }
    }

    /// A protocol, TCP when it is missing.
    pub(crate) fn protocol(
        &mut self,
        parent: &Value,
        path: &FieldPath,
    ) -> Result<Protocol, Malformed> {
        let Some(value) = field(parent, "protocol") else {
            return Ok(Protocol::Tcp);
        };
        match value.as_str().and_then(Protocol::from_name) {
            Some(protocol) => Ok(protocol),
            None => {
                self.defect(&path.key("protocol"), "is none of TCP, UDP and SCTP");
                Err(Malformed)
            }
        }
    }

    /// A port's number.
    pub(crate) fn port(&mut self, value: &Value, path: &FieldPath) -> Result<u16, Malformed> {
        let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
        match number.filter(|number| *number > 0) {
            Some(number) => Ok(number),
            None => {
                self.defect(path, "is no port between 1 and 65535");
                Err(Malformed)
            }
        }
    }

    /// A block of addresses.
    pub(crate) fn block(
        &mut self,
        value: Option<&Value>,
        path: &FieldPath,
    ) -> Result<AddressRange, Malformed> {
        match value.and_then(Value::as_str).and_then(AddressRange::block) {
            Some(block) => Ok(block),
            None => {
                self.defect(
                    path,
                    "is no block of addresses such as 10.0.0.0/8 or fd00::/8",
                );
                Err(Malformed)
            }
        }
    }
}

/// A field that is there and cannot be understood; the defect has been told.
pub(crate) struct Malformed;

/// A field that is there and not null.
pub(crate) fn field<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    value.get(key).filter(|value| !value.is_null())
}
