//! The two protobuf answers that the gateway reads. Both are one field with number 1, which keeps a
//! protobuf library out of the contract. Fields that are not known are passed over.

/// Wire type of integers.
const VARINT: u64 = 0;
/// Wire type of bytes.
const BYTES: u64 = 2;

/// `sequence` of ibc-go's `MsgTransferResponse` (field 1, uint64).
pub fn transfer_sequence(bytes: &[u8]) -> Option<u64> {
    match field_1(bytes)? {
        Value::Number(sequence) => Some(sequence),
        Value::Bytes(_) => None,
    }
}

/// `data` of wasmd's `MsgExecuteContractResponse` (field 1, bytes), which is a session's number as 8
/// bytes, big-endian.
pub fn session_id(bytes: &[u8]) -> Option<u64> {
    match field_1(bytes)? {
        Value::Bytes(data) => data.try_into().ok().map(u64::from_be_bytes),
        Value::Number(_) => None,
    }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The value of field 1.
fn field_1(mut bytes: &[u8]) -> Option<Value<'_>> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            VARINT => Value::Number(varint(&mut bytes)?),
            BYTES => {
                let len = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(len)?;
                bytes = rest;
                Value::Bytes(value)
            }
            _ => return None,
        };
        if key >> 3 == 1 {
            return Some(value);
        }
    }
    None
}

/// A base-128 integer of at most 64 bits.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_to_the_bit() {
        // Encoded by protoc: sequence 1, 300, 2^64 - 1.
        assert_eq!(transfer_sequence(&[0x08, 0x01]), Some(1));
        assert_eq!(transfer_sequence(&[0x08, 0xac, 0x02]), Some(300));
        let most = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(transfer_sequence(&most), Some(u64::MAX));
        // An unknown field before it.
        assert_eq!(transfer_sequence(&[0x12, 0x02, 7, 7, 0x08, 0x05]), Some(5));
        let data = [0x0a, 0x08, 0, 0, 0, 0, 0, 0, 1, 2];
        assert_eq!(session_id(&data), Some(258));
    }

    #[test]
    fn hostile_answers_are_refused() {
        let long = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        for wrong in
            [&[][..], &[0x08], &[0x08, 0x80], &[0x0a, 0x08], &[0x0a, 0xff], &[0x0d, 1, 2, 3, 4], &long]
        {
            assert_eq!(transfer_sequence(wrong), None, "{wrong:?}");
            assert_eq!(session_id(wrong), None, "{wrong:?}");
        }
        assert_eq!(transfer_sequence(&[0x0a, 0x01, 0x01]), None);
        assert_eq!(session_id(&[0x0a, 0x01, 0x01]), None);
    }
}
