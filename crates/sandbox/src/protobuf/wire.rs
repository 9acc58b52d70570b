//! Numbered fields, whatever they mean.

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'b> {
    pub(super) number: u64,
    pub(super) value: Wire<'b>,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire<'b> {
    Number(u64),
    Bytes(&'b [u8]),
    /// Of a fixed width; nothing that is read here has one.
    Fixed,
}

/// Most bytes of a number.
const VARINT_LIMIT: usize = 10;

/// Takes the next field from the front of a message; none at its end.
pub(super) fn next<'b>(rest: &mut &'b [u8]) -> Result<Option<Field<'b>>, String> {
    if rest.is_empty() {
        return Ok(None);
    }
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => Wire::Number(varint(rest)?),
        1 => take(rest, 8).map(|_| Wire::Fixed)?,
        2 => {
            let length = usize::try_from(varint(rest)?).map_err(|_| end())?;
            Wire::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Wire::Fixed)?,
        other => return Err(format!("proto: illegal wireType {other}")),
    };
    Ok(Some(Field {
        number: tag >> 3,
        value,
    }))
}

/// A number of seven bits a byte, the least first.
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0_u64;
    for place in 0..VARINT_LIMIT {
        let byte = take(rest, 1)?.first().copied().unwrap_or_default();
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err("proto: integer overflow".to_owned())
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Result<&'b [u8], String> {
    let (taken, after) = rest.split_at_checked(length).ok_or_else(end)?;
    *rest = after;
    Ok(taken)
}

fn end() -> String {
    "unexpected EOF".to_owned()
}
