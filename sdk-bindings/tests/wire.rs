//! MessagePack from and to Rhai values: what is written reads back, and no bytes do harm.

use picloud_sdk::limits::MAX_NESTING_LEVELS;
use picloud_sdk::wire::{Reader, WireError, Writer};
use proptest::prelude::*;
use rhai::{Dynamic, Map};

fn values() -> impl Strategy<Value = Dynamic> {
    let leaf = prop_oneof![
        Just(Dynamic::UNIT),
        any::<bool>().prop_map(Dynamic::from),
        any::<i64>().prop_map(Dynamic::from),
        any::<f64>().prop_map(Dynamic::from),
        any::<String>().prop_map(Dynamic::from),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Dynamic::from_blob),
    ];
    leaf.prop_recursive(5, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Dynamic::from_array),
            prop::collection::btree_map(any::<String>(), inner, 0..20).prop_map(|map| map
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect::<Map>()
                .into()),
        ]
    })
}

fn write(value: &Dynamic) -> Result<Vec<u8>, WireError> {
    let mut writer = Writer::new();
    writer.value(value)?;
    Ok(writer.into_bytes())
}

proptest! {
    #[test]
    fn values_are_read_as_they_were_written(value in values()) {
        let bytes = write(&value).unwrap();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(format!("{:?}", reader.value().unwrap()), format!("{value:?}"));
        prop_assert!(reader.is_empty());

        let mut packed = Writer::new();
        packed.packed(&value).unwrap();
        prop_assert_eq!(Reader::new(packed.as_bytes()).bytes().unwrap(), bytes.as_slice());
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Reader::new(&bytes).value();
    }

    #[test]
    fn bytes_that_end_early_are_an_error(value in values()) {
        let bytes = write(&value).unwrap();
        prop_assert!(Reader::new(&bytes[..bytes.len() - 1]).value().is_err());
    }

    #[test]
    fn integers_take_their_shortest_form(number: i64) {
        let length = match number {
            -32..=127 => 1,
            -128..=255 => 2,
            -32_768..=65_535 => 3,
            -2_147_483_648..=4_294_967_295 => 5,
            _ => 9,
        };
        prop_assert_eq!(write(&number.into()).unwrap().len(), length);
    }
}

#[test]
fn a_length_that_lies_reserves_nothing() {
    for bytes in [
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ] {
        assert_eq!(Reader::new(bytes).value().map(|_| ()), Err(WireError::Truncated));
    }
}

#[test]
fn nesting_ends_both_ways() {
    let mut deep = Dynamic::UNIT;
    for _ in 0..MAX_NESTING_LEVELS {
        deep = Dynamic::from_array(vec![deep]);
    }
    let bytes = write(&deep).unwrap();
    assert!(Reader::new(&bytes).value().is_ok());
    assert_eq!(write(&Dynamic::from_array(vec![deep])), Err(WireError::TooDeep));
    assert_eq!(Reader::new(&[0x91; 1000]).value().map(|_| ()), Err(WireError::TooDeep));
}

#[test]
fn unsupported_types_are_named() {
    let pointer = Dynamic::from(rhai::FnPtr::new("f").unwrap());
    assert_eq!(write(&pointer), Err(WireError::Unsupported("function".into())));
}
