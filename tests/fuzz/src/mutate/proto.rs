//! Proto: mutations of the fields of a protobuf message, whose lengths stay right.

use super::{json, words};
use crate::rng::Rng;

/// A field as it stands on the wire.
#[derive(Debug, Clone)]
enum Field {
    Number(u64, u64),
    Eight(u64, [u8; 8]),
    Bytes(u64, Vec<u8>),
    Four(u64, [u8; 4]),
}

/// Messages within messages, so deep.
const DEPTH_MAX: usize = 4;

/// Changes one field; the first byte, which may choose the message, is rarely touched. False when it is no message.
pub(super) fn mutate(input: &mut Vec<u8>, dictionary: &[Vec<u8>], rng: &mut Rng) -> bool {
    let Some((choice, message)) = input.split_first() else { return false };
    let Some(mut fields) = read(message) else { return false };
    let mut choice = *choice;
    if rng.one_in(20) {
        choice = rng.byte();
    }
    change(&mut fields, (dictionary, DEPTH_MAX), rng);
    *input = vec![choice];
    write(&fields, input);
    true
}

fn change(fields: &mut Vec<Field>, (dictionary, depth): (&[Vec<u8>], usize), rng: &mut Rng) {
    let at = rng.below(fields.len());
    match rng.below(6) {
        0 if !fields.is_empty() => drop(fields.remove(at)),
        1 if !fields.is_empty() => {
            let copy = fields[at].clone();
            fields.extend(vec![copy; rng.below(3) + 1]);
        }
        2 => {
            let tag = rng.below(18) as u64 + 1;
            let field = match rng.below(2) {
                0 => Field::Number(tag, number(rng)),
                _ => Field::Bytes(tag, words::any(dictionary, rng)),
            };
            fields.insert(at, field);
        }
        _ => match fields.get_mut(at) {
            Some(Field::Number(_, value)) => *value = number(rng),
            Some(Field::Eight(_, bytes)) => bytes[rng.below(8)] = rng.byte(),
            Some(Field::Four(_, bytes)) => bytes[rng.below(4)] = rng.byte(),
            Some(Field::Bytes(_, bytes)) => rebyte(bytes, (dictionary, depth), rng),
            None => {}
        },
    }
}

fn rebyte(bytes: &mut Vec<u8>, (dictionary, depth): (&[Vec<u8>], usize), rng: &mut Rng) {
    if matches!(bytes.first(), Some(b'{' | b'[')) && json::mutate(bytes, dictionary, rng) {
        return;
    }
    if depth > 0
        && !rng.one_in(4)
        && let Some(mut inner) = read(bytes).filter(|inner| !inner.is_empty())
    {
        change(&mut inner, (dictionary, depth - 1), rng);
        bytes.clear();
        return write(&inner, bytes);
    }
    *bytes = words::any(dictionary, rng);
}

fn number(rng: &mut Rng) -> u64 {
    match rng.below(3) {
        0 => rng.below(300) as u64,
        1 => u64::MAX - rng.below(3) as u64,
        _ => words::number(rng).parse().unwrap_or_else(|_| rng.number()),
    }
}

fn read(mut bytes: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let tag = key >> 3;
        fields.push(match key & 7 {
            0 => Field::Number(tag, varint(&mut bytes)?),
            1 => Field::Eight(tag, *take(&mut bytes, 8)?.first_chunk()?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Field::Bytes(tag, take(&mut bytes, length)?.to_vec())
            }
            5 => Field::Four(tag, *take(&mut bytes, 4)?.first_chunk()?),
            _ => return None,
        });
    }
    Some(fields)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn write(fields: &[Field], out: &mut Vec<u8>) {
    for field in fields {
        match field {
            Field::Number(tag, value) => {
                push(out, tag << 3);
                push(out, *value);
            }
            Field::Eight(tag, bytes) => {
                push(out, tag << 3 | 1);
                out.extend_from_slice(bytes);
            }
            Field::Bytes(tag, bytes) => {
                push(out, tag << 3 | 2);
                push(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Field::Four(tag, bytes) => {
                push(out, tag << 3 | 5);
                out.extend_from_slice(bytes);
            }
        }
    }
}

fn push(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
