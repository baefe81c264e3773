use super::normal;
use crate::generators::{Generator, Target, generate, streams, tape};
use arbitrary::Unstructured;
use pyc_core::Profile;

#[test]
fn one_value_has_one_normal_form() {
    let check = |version: &str, spellings: &[&[u8]], expected: &[u8]| {
        let profile = Profile::for_release(&pyc_core::Release::parse(version).unwrap()).unwrap();
        for spelling in spellings {
            let normal = normal(Target::from(&profile), spelling).unwrap();
            assert_eq!(normal, expected, "{version} {spelling:02x?}");
        }
    };
    let number: [&[u8]; 4] = [b"i\0\x08\0\0", b"I\0\x08\0\0\0\0\0\0", b"\xe9\0\x08\0\0rest", b"l\x01\0\0\0\0\x08"];
    check("3.12", &number, b"i\0\x08\0\0");
    check("2.7", &number[..2], b"i\0\x08\0\0");
    check("2.7", &number[3..], number[3]);
    check("3.12", &[b"l\x01\0\0\0\x01\0"], b"l\x01\0\0\0\x01\0");
    check(
        "3.12",
        &[b"l\xfc\xff\xff\xff\0\0\0\0\0\0\0\x02", b"I\0\0\0\0\0\0\xc0\xff"],
        b"l\xfc\xff\xff\xff\0\0\0\0\0\0\0\x02",
    );
    check("3.12", &[b"f\x031.5", b"f\x0515e-1", b"f\x061.5\0ab"], b"g\0\0\0\0\0\0\xf8\x3f");
    check("3.12", &[b"x\x010\x02-0"], b"y\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80");
    check("3.12", &[b"f\x03nan"], b"f\x03nan");
    check("3.12", &[b"z\x01x", b"a\x01\0\0\0x", b"u\x01\0\0\0x"], b"z\x01x");
    check("3.12", &[b"Z\x01x", b"A\x01\0\0\0x", b"t\x01\0\0\0x"], b"Z\x01x");
    check("3.12", &[b"z\x01\xe9", b"a\x01\0\0\0\xe9", b"u\x02\0\0\0\xc3\xa9"], b"u\x02\0\0\0\xc3\xa9");
    check("3.12", &[b"u\x03\0\0\0\xed\xa0\x80"], b"u\x03\0\0\0\xed\xa0\x80");
    check("3.12", &[b"\xa8\x01\0\0\0\xceT", b"\xa9\x01N"], b")\x01N");
    check("3.12", &[b"\xa8\x02\0\0\0\xdb\0\0\0\0r\x01\0\0\0"], b")\x02\xdb\0\0\0\0r\0\0\0\0");
}

#[test]
fn a_normal_form_is_its_own() {
    for profile in Profile::all() {
        let target = Target::from(profile);
        for index in 0..200 {
            let legal = streams::legal(&mut Unstructured::new(&tape(3, "normal", index)), target);
            let other = generate(Generator::Streams, target, 3, index, &[]).bytes;
            let once = normal(target, &legal).expect("a legal stream does not break off");
            assert_eq!(normal(target, &once).as_ref(), Some(&once), "{} {legal:02x?}", profile.version);
            if let Some(once) = normal(target, &other) {
                assert_eq!(normal(target, &once), Some(once), "{} {other:02x?}", profile.version);
            }
        }
    }
}
