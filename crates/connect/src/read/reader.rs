//! Reading fields that may be missing or malformed, with a defect for each that is.

use serde_json::Value;
use underpin_model::{FieldPath, LabelSelector, Object, Protocol};

use crate::{
    addresses::AddressRange,
    labels::Selector,
    policy::{Defect, Peer, PeerId, Peers},
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
        let Some(selector) = LabelSelector::from_structured(value) else {
            self.defect(&path.key(key), "is no valid label selector");
            return Some(Selector::Unreadable);
        };
        Some(Selector::Readable(selector))
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
        let Some(protocol) = value.as_str().and_then(Protocol::from_name) else {
            self.defect(&path.key("protocol"), "is none of TCP, UDP and SCTP");
            return Err(Malformed);
        };
        Ok(protocol)
    }

    /// A port's number.
    pub(crate) fn port(&mut self, value: &Value, path: &FieldPath) -> Result<u16, Malformed> {
        let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
        let Some(number) = number.filter(|number| *number > 0) else {
            self.defect(path, "is no port between 1 and 65535");
            return Err(Malformed);
        };
        Ok(number)
    }

    /// A block of addresses.
    pub(crate) fn block(
        &mut self,
        value: Option<&Value>,
        path: &FieldPath,
    ) -> Result<AddressRange, Malformed> {
        let text = value.and_then(Value::as_str);
        let Some(block) = text.and_then(AddressRange::block) else {
            self.defect(
                path,
                "is no block of addresses such as 10.0.0.0/8 or fd00::/8",
            );
            return Err(Malformed);
        };
        Ok(block)
    }
}

/// A field that is there and cannot be understood; the defect has been told.
pub(crate) struct Malformed;

/// A field that is there and not null.
pub(crate) fn field<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    value.get(key).filter(|value| !value.is_null())
}
