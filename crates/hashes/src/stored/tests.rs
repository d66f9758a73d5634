use super::*;
use crate::hash_password;
use proptest::prelude::*;

/// The password of every vector that names no other, composed (NFC).
const PASSWORD: &str = "Grüße aus Köln";

/// Made with libargon2, hashlib, passlib, libxcrypt and OpenSSL.
const VECTORS: &[&str] = &[
    "$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0MTIzNA$xCRxi5lII6wkb6EX5R7guWiVcRqlPuz10/lky/Rugas",
    "$argon2i$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0MTIzNA$9MHhrw9NpEFboO5MxoNjdCDwuu+H7eixgB/NRWZgDWE",
    "$argon2d$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0MTIzNA$+w74ApFIJuVHPDxSuzkteqllg/+DTdQJahOvEjydqIM",
    "$argon2id$v=16$m=1024,t=1,p=2$c2FsdHNhbHRzYWx0MTIzNA$6ANNEGW1Kz2rxLLjHr9yb6kTgB/Q1IwUzJWVu0IOJ60",
    "$argon2id$m=1024,t=1,p=2$c2FsdHNhbHRzYWx0MTIzNA$6ANNEGW1Kz2rxLLjHr9yb6kTgB/Q1IwUzJWVu0IOJ60",
    "{ARGON2}$argon2i$v=19$m=4096,t=3,p=4$c2FsdHNhbHRzYWx0MTIzNA$WE9Mt+EaHjvH33VC6HyHKw",
    "{SHA}XKhaC1H69mTQwp6s/eoHZJgeeB8=",
    "{SSHA}1DHomNfcVd3Hhs7/Z7SbP0Fmf/4BAgME/v8AEA==",
    "{SHA256}J3fXLLmV6lyQBKyrI+XQn/pMrScjSciRBj0qKaj/+GY=",
    "{SSHA256}hYnZVH+WN94hoP82BjZx/U361zoER7CdmLTIN9tpX0wBAgME/v8AEA==",
    "{SHA512}yhgT+M3vbPqmNBn5gaEWpBqTQQWrvOgBwzAYB+agqjXSYIR39Vm2NA5XHVLrJLOykQKHVVoC27N2fe1svlwg7g==",
    "{SSHA512}6ctiq+mVkZCIjMmyYmZHZ+UJBWta891wwO2m3lsjz9zJiU7y3xWj22JYTuvMTebvFLjyXMHARJRyADR7DBMviQECAwT+/wAQ",
    "{ssha}1DHomNfcVd3Hhs7/Z7SbP0Fmf/4BAgME/v8AEA==",
    "{PBKDF2}1000$MDEyMzQ1Njc4OWFiY2RlZg$kEpAx9WV0Ciu2IOwaIUg8FurKzI",
    "{PBKDF2-SHA1}1000$MDEyMzQ1Njc4OWFiY2RlZg$kEpAx9WV0Ciu2IOwaIUg8FurKzI",
    "{PBKDF2-SHA256}1000$MDEyMzQ1Njc4OWFiY2RlZg$/m/lp5b9N8Gv0LBajnGE2xdoMpJ4LP0fq2BzLIh5nwc",
    "{PBKDF2-SHA512}1000$MDEyMzQ1Njc4OWFiY2RlZg$Pvb4PL5uKtOm4vc.qSs7BQ4JFKawCnFegDfHApKfoAB0R0IwmZhQgUsVYrvDaNePXkxxWwLslm2HdqqvL5cfcQ",
    "$pbkdf2$1000$./..7zAxMjM0NTY3ODlhYg$zPyuvF3K5VaQZISID67B/cVIoJc",
    "$pbkdf2-sha256$1000$./..7zAxMjM0NTY3ODlhYg$7kKSXiFzb5/aBfWwRp8KsUIAsFw9CfPJqE8w1PszV5I",
    "$pbkdf2-sha512$1000$./..7zAxMjM0NTY3ODlhYg$KCHsjunBYonziySF4xJoO71n47GdRdvsyT5x.s5aSkBPdfLvBWpR0eYFYH8fCdFdROlop93W0s7LHvkn3pd36g",
    "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$/m/lp5b9N8Gv0LBajnGE2xdoMpJ4LP0fq2BzLIh5nwc",
    "$pbkdf2-sha512$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$Pvb4PL5uKtOm4vc+qSs7BQ4JFKawCnFegDfHApKfoAB0R0IwmZhQgUsVYrvDaNePXkxxWwLslm2HdqqvL5cfcQ",
    "{CRYPT}$1$saltsalt$9MATlX417FN7VSLErMOVB0",
    "{CRYPT}$1$ab$hep9l6oLH2PpMaVi4.ZUj0",
    "{CRYPT}$5$saltstring$IY5HPn6WZiLJSxHD1uhyKtPz6awcD4a9BtuWBxGaRUB",
    "{CRYPT}$5$rounds=1400$anotherlongsalts$PELyp/K6Lfu55Yproo3jFMtyztCM2AClXpD.cFo8LUC",
    "{CRYPT}$6$saltstring$of9QddD42c9uSOzw0DDQAtU2oPKInCGG6vDy9WvCXvYeyFExzkWE3yc9n6/iO.Y8k9t53C5533ZllXIzpHD9b1",
    "{CRYPT}$6$rounds=1400$anotherlongsalts$7A1rDJt2MxW5js/H73Lgv1g5GKazy.4pNBwf.AVxAYcVIgIYkWiLjQ6l5PtvfwYgMX/MJ0Ob9RMiU34RRkj6h/",
    "{CRYPT}$2a$05$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
    "{CRYPT}$2b$05$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
    "{crypt}$2y$05$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
    "$2b$05$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
    "{CRYPT}$y$j75$saltsaltsalt$wHEMt9WV8q0FTsgk8VJVZrDAIUveNbgnP9JU9NPy5j8",
    "{CRYPT}$y$j9T$F5Jx5fExrKuPp53xLKQ..1$YkTzTAV3cjTKE8685u1rb5ryUi3/VdClz4RloOvVHZ9",
    "$y$j8T$$CO1GOwLpiKxg/9i4.gQjbXI6AADMJda7wltIwoQ.Ue9",
];

/// 389 Directory Server's packed form, made by its own software, for "Password123".
const PACKED: &str = "{PBKDF2_SHA256}AAAnEGTxXtnR/oox922/jZyjH6fmiIdW4AwIYZE2LfCVL/SUz5GbAHfjRj4NbN2u8ul0/j/dUzJ4gQSawGALGHZV74nOAtPttoZDTsh7BeGCLD/Ps7vRugwDdz9uPARXzF3bD/8qCpumvRGb4pehzfQsk+FnGgTwi0rUeVaN8a7Kbv8ZpRfU2sd+208F/YL42BWAh/2tv0I4vY7ZsrCZcrUJtgKWy5Nr+t78zmPkrZsX/kgfnGdXhr50kN10cmkLQ0/cZOXo9CAkpeZyFu+wQ5vQdUaES2Vd5kBjJYPCkr4b2ocr4ETQi3IGO2GGCoCetmMIETsudRVSxUNBbva+Vgxin5Apu4wIP/0ZyuGK6TuWLqLnNpmK3RkRx0xjqJ4nN2Ok0ul0XYBJcYIBt4UoaVM2uSa/Etw28Uy+zAsUv2AOiRo5";

fn memory() -> Memory {
    Memory::for_parameters(Argon2Parameters::new(1024, 1, 1).unwrap())
}

fn parse(text: &str) -> Result<StoredHash, HashRefused> {
    StoredHash::parse(&HashText::new(text))
}

fn matches(text: &str, password: &[u8]) -> bool {
    let password = Password::presented(password).unwrap();
    parse(text)
        .unwrap()
        .matches(&password, &mut memory())
        .unwrap()
}

#[test]
fn every_scheme_takes_the_right_password_and_no_other() {
    for vector in VECTORS {
        assert!(matches(vector, PASSWORD.as_bytes()), "{vector}");
        for wrong in [
            "Grüße aus Kölm",
            "Grüße aus Köln ",
            "grüße aus köln",
            "G",
            "Gr??e aus K?ln",
        ] {
            assert!(
                !matches(vector, wrong.as_bytes()),
                "{vector} took {wrong:?}"
            );
        }
    }
}

#[test]
fn a_decomposed_password_is_the_same_password() {
    let decomposed = "Gru\u{308}ße aus Ko\u{308}ln";
    assert_ne!(decomposed, PASSWORD);
    for vector in VECTORS {
        assert!(matches(vector, decomposed.as_bytes()), "{vector}");
    }
}

#[test]
fn a_hash_of_389_directory_server_verifies() {
    assert!(matches(PACKED, b"Password123"));
    assert!(!matches(PACKED, b"Password124"));
    assert_eq!(parse(PACKED).unwrap().admit_for_import(), Ok(()));
}

#[test]
fn published_vectors_verify() {
    // RFC 6070, two of its iteration counts, in OpenLDAP's writing; the salt is "salt".
    assert!(matches(
        "{PBKDF2}1$c2FsdA$DGDID5YfDnHzqbUkr2ASBi/gN6Y",
        b"password"
    ));
    assert!(matches(
        "{PBKDF2}4096$c2FsdA$SwB5AbdlSJq.rUnZJvch0GWkKcE",
        b"password"
    ));
    // SHA-crypt's specification.
    assert!(matches(
        "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
        b"Hello world!"
    ));
    assert!(matches(
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        b"Hello world!"
    ));
    // OpenBSD's bcrypt, of the jBCrypt test suite.
    assert!(matches(
        "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
        b"a"
    ));
    // `openssl passwd -1`, and a password over three of its digests long.
    assert!(matches("$1$abcdefgh$G//4keteveJp0qb8z2DxG/", b"password"));
    assert!(matches(
        "$1$abcdefgh$KkMlduJgLd0zf2JxUqgD5.",
        "0123456789".repeat(5).as_bytes()
    ));
}

#[test]
fn bytes_that_are_not_utf8_match_an_imported_hash() {
    assert!(matches(
        "{SSHA}WLAY/FoNyxvVKQmLRDqMgCMrL2JzYWx0",
        b"caf\xe9"
    ));
    assert!(!matches(
        "{SSHA}WLAY/FoNyxvVKQmLRDqMgCMrL2JzYWx0",
        "café".as_bytes()
    ));
}

#[test]
fn bcrypt_truncates_nothing_silently() {
    let hash = "$2b$05$abcdefghijklmnopqrstuuGUnCqbfgs3htOkLrFduUjAyLBw1Rq/u";
    assert!(matches(hash, &[b'a'; 72]));
    for length in [71, 73, 80, 1024] {
        assert!(!matches(hash, &vec![b'a'; length]), "{length}");
    }
}

#[test]
fn what_is_no_hash_is_refused_with_its_reason() {
    for text in ["", " ", "\n", "{CRYPT}"] {
        assert_eq!(parse(text).unwrap_err(), HashRefused::Empty, "{text:?}");
    }
    for text in [
        "!",
        "*",
        "!!",
        "*LK*",
        "!$6$saltstring$x",
        "{CRYPT}!",
        "{CRYPT}*",
    ] {
        assert_eq!(parse(text).unwrap_err(), HashRefused::Disabled, "{text:?}");
    }
    for text in [
        "secret",
        "{CLEARTEXT}secret",
        "{MD5}CY9rzUYh03PK3k6DJie09g==",
        "{}x",
        "{SSHA",
        "$",
        "$$",
        "$9$x$y",
        "$2x$05$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
        "{CRYPT}abJnggxhB/yWI",
        "$7$C6..../....SodiumChloride$x",
        "{SASL}alice@EXAMPLE",
    ] {
        assert_eq!(
            parse(text).unwrap_err(),
            HashRefused::UnknownScheme,
            "{text:?}"
        );
    }
    assert_eq!(
        parse(&"$".repeat(MAX_HASH_BYTES + 1)).unwrap_err(),
        HashRefused::TooLong
    );
}

#[test]
fn malformed_hashes_are_refused() {
    for text in [
        // No output, or one too short to mean anything: it would match every password.
        "$y$j75$saltsaltsalt$",
        "$y$j75$saltsaltsalt",
        "$y$j75$saltsaltsalt$wH",
        "{PBKDF2}1000$MDEyMzQ1Njc4OWFiY2RlZg$",
        "{PBKDF2}1000$MDEyMzQ1Njc4OWFiY2RlZg$AAAA",
        "{PBKDF2-SHA256}1000$MDEyMzQ1Njc4OWFiY2RlZg$/m/lp5b9N8Gv0LBajnGE2xdoMpI",
        "$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0MTIzNA",
        "$1$saltsalt$",
        "$5$saltstring$",
        "$6$saltstring$IY5HPn6WZiLJSxHD1uhyKtPz6awcD4a9BtuWBxGaRUB",
        "$2b$05$abcdefghijklmnopqrstuu",
        "{SHA}",
        "{SSHA}",
        // A salted scheme without salt, an unsalted one with.
        "{SSHA}XKhaC1H69mTQwp6s/eoHZJgeeB8=",
        "{SHA}1DHomNfcVd3Hhs7/Z7SbP0Fmf/4BAgME/v8AEA==",
        "{SHA}not base64!",
        // Numbers that are none, or that the scheme does not allow.
        "{PBKDF2}0$MDEyMzQ1Njc4OWFiY2RlZg$kEpAx9WV0Ciu2IOwaIUg8FurKzI",
        "{PBKDF2}+1$MDEyMzQ1Njc4OWFiY2RlZg$kEpAx9WV0Ciu2IOwaIUg8FurKzI",
        "{PBKDF2}4294967296$MDEyMzQ1Njc4OWFiY2RlZg$kEpAx9WV0Ciu2IOwaIUg8FurKzI",
        "$pbkdf2-sha256$i=1000,l=31$MDEyMzQ1Njc4OWFiY2RlZg$/m/lp5b9N8Gv0LBajnGE2xdoMpJ4LP0fq2BzLIh5nwc",
        "$5$rounds=999$saltstring$IY5HPn6WZiLJSxHD1uhyKtPz6awcD4a9BtuWBxGaRUB",
        "$5$rounds=$saltstring$IY5HPn6WZiLJSxHD1uhyKtPz6awcD4a9BtuWBxGaRUB",
        "$2b$03$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
        "$2b$32$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
        "$2b$+5$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
        "$argon2id$v=19$m=7,t=2,p=1$c2FsdHNhbHRzYWx0MTIzNA$xCRxi5lII6wkb6EX5R7guWiVcRqlPuz10/lky/Rugas",
        "$argon2id$v=18$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0MTIzNA$xCRxi5lII6wkb6EX5R7guWiVcRqlPuz10/lky/Rugas",
        // yescrypt of a flavour, a lane count or an extra pass that nobody writes.
        "$y$.75$saltsaltsalt$wHEMt9WV8q0FTsgk8VJVZrDAIUveNbgnP9JU9NPy5j8",
        "$y$j95.0$saltsaltsalt$wHEMt9WV8q0FTsgk8VJVZrDAIUveNbgnP9JU9NPy5j8",
        "$y$j95/0$saltsaltsalt$wHEMt9WV8q0FTsgk8VJVZrDAIUveNbgnP9JU9NPy5j8",
        // Something left over.
        "$1$saltsalt$9MATlX417FN7VSLErMOVB0$",
        "$y$j75$saltsaltsalt$wHEMt9WV8q0FTsgk8VJVZrDAIUveNbgnP9JU9NPy5j8$x",
    ] {
        let refused = parse(text).unwrap_err();
        assert!(
            matches!(refused, HashRefused::Malformed { .. }),
            "{text:?}: {refused}"
        );
    }
}

/// Hashes whose verification would cost too much, with what a shell user would see.
const COSTLY: &[(&str, &str)] = &[
    (
        "$argon2id$v=19$m=65537,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$xCRxi5lII6wkb6EX5R7guWiVcRqlPuz10/lky/Rugas",
        "65537 KiB",
    ),
    (
        "$argon2id$v=19$m=4294967295,t=4294967295,p=1$c2FsdHNhbHRzYWx0MTIzNA$xCRxi5lII6wkb6EX5R7guWiVcRqlPuz10/lky/Rugas",
        "4294967295 KiB",
    ),
    (
        "$argon2id$v=19$m=65536,t=50,p=1$c2FsdHNhbHRzYWx0MTIzNA$xCRxi5lII6wkb6EX5R7guWiVcRqlPuz10/lky/Rugas",
        "2621 ms",
    ),
    (
        "{PBKDF2}4294967295$MDEyMzQ1Njc4OWFiY2RlZg$kEpAx9WV0Ciu2IOwaIUg8FurKzI",
        " ms",
    ),
    (
        "$5$rounds=999999999$saltstring$IY5HPn6WZiLJSxHD1uhyKtPz6awcD4a9BtuWBxGaRUB",
        " ms",
    ),
    (
        "$2b$14$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
        "1392 ms",
    ),
    (
        "$2b$31$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
        " ms",
    ),
    (
        "$y$jCT$saltsaltsalt$wHEMt9WV8q0FTsgk8VJVZrDAIUveNbgnP9JU9NPy5j8",
        "131072 KiB",
    ),
];

#[test]
fn costly_hashes_are_neither_imported_nor_computed() {
    let password = Password::presented(PASSWORD.as_bytes()).unwrap();
    for (text, part) in COSTLY {
        let hash = parse(text).unwrap();
        let refused = hash.admit_for_import().unwrap_err();
        assert!(refused.to_string().contains(part), "{text}: {refused}");
        assert!(hash.matches(&password, &mut memory()).is_err(), "{text}");
    }
}

#[test]
fn customary_hashes_are_imported() {
    for vector in VECTORS {
        assert_eq!(
            parse(vector).unwrap().admit_for_import(),
            Ok(()),
            "{vector}"
        );
    }
    for text in [
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0MTIzNA$xCRxi5lII6wkb6EX5R7guWiVcRqlPuz10/lky/Rugas",
        "$2b$13$abcdefghijklmnopqrstuuHvGdZDEanK7yrqWa358SPCvFlhmF5wC",
        "$5$rounds=535000$saltstring$IY5HPn6WZiLJSxHD1uhyKtPz6awcD4a9BtuWBxGaRUB",
        "$6$rounds=656000$saltstring$of9QddD42c9uSOzw0DDQAtU2oPKInCGG6vDy9WvCXvYeyFExzkWE3yc9n6/iO.Y8k9t53C5533ZllXIzpHD9b1",
        "$pbkdf2-sha256$600000$./..7zAxMjM0NTY3ODlhYg$7kKSXiFzb5/aBfWwRp8KsUIAsFw9CfPJqE8w1PszV5I",
        "$y$jBT$saltsaltsalt$wHEMt9WV8q0FTsgk8VJVZrDAIUveNbgnP9JU9NPy5j8",
    ] {
        assert_eq!(parse(text).unwrap().admit_for_import(), Ok(()), "{text}");
    }
}

#[test]
fn a_password_whose_length_makes_the_hash_costly_is_not_computed() {
    let hash = parse("$6$rounds=656000$saltstring$of9QddD42c9uSOzw0DDQAtU2oPKInCGG6vDy9WvCXvYeyFExzkWE3yc9n6/iO.Y8k9t53C5533ZllXIzpHD9b1").unwrap();
    let long = Password::presented(&[b'a'; 1024]).unwrap();
    assert!(matches!(
        hash.matches(&long, &mut memory()),
        Err(HashRefused::TooSlow { .. })
    ));
}

#[test]
fn only_current_argon2id_needs_no_rehash() {
    let parameters = Argon2Parameters::new(1024, 2, 1).unwrap();
    for vector in VECTORS {
        let current = vector.starts_with("$argon2id$v=19$m=1024,t=2,p=1$");
        assert_eq!(
            parse(vector).unwrap().needs_rehash(&parameters),
            !current,
            "{vector}"
        );
    }
    let current = parse(VECTORS[0]).unwrap();
    for (memory_kib, passes, lanes) in [(1025, 2, 1), (512, 2, 1), (1024, 3, 1), (1024, 2, 2)] {
        let other = Argon2Parameters::new(memory_kib, passes, lanes).unwrap();
        assert!(current.needs_rehash(&other));
    }
}

#[test]
fn debug_shows_the_scheme_alone() {
    assert_eq!(
        format!("{:?}", parse(VECTORS[0]).unwrap()),
        "StoredHash(argon2)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_hashed_verifies(password in "\\PC{1,80}", other in "\\PC{1,80}") {
        let parameters = Argon2Parameters::new(8, 1, 1).unwrap();
        let mut memory = Memory::for_parameters(parameters);
        let password = Password::new(password.as_bytes()).unwrap();
        let other = Password::new(other.as_bytes()).unwrap();
        let hash = hash_password(&password, parameters, &mut memory).unwrap();
        let stored = StoredHash::parse(&hash).unwrap();
        prop_assert_eq!(stored.matches(&password, &mut memory), Ok(true));
        prop_assert!(!stored.needs_rehash(&parameters));
        let same = password.as_bytes() == other.as_bytes();
        prop_assert_eq!(stored.matches(&other, &mut memory), Ok(same));
    }
}

proptest! {
    #[test]
    fn no_text_panics_or_matches(
        start in prop::sample::select(vec![
            "", "$", "{", "{SSHA}", "{SHA512}", "{PBKDF2}1$", "{PBKDF2_SHA256}", "$argon2id$v=19$",
            "$pbkdf2-sha256$i=1", "$1$", "$5$rounds=1000$", "$6$", "$2b$04$", "$y$j", "$y$j75$",
        ]),
        rest in "[ -~é$]{0,120}",
    ) {
        let password = Password::presented(PASSWORD.as_bytes()).unwrap();
        if let Ok(stored) = parse(&format!("{start}{rest}")) {
            prop_assert!(!matches!(stored.matches(&password, &mut memory()), Ok(true)));
        }
    }

    #[test]
    fn a_truncated_or_broken_vector_never_matches_and_never_panics(
        vector in prop::sample::select(VECTORS.to_vec()),
        at in 0_usize..40,
    ) {
        let password = Password::presented(PASSWORD.as_bytes()).unwrap();
        // Two characters less are a byte less; padding alone would not be missed.
        let bare = vector.trim_end_matches('=');
        let cut = bare.get(..bare.len().saturating_sub(at + 2)).unwrap_or_default();
        let doubled = format!("{vector}{vector}");
        for text in [cut, &doubled] {
            if let Ok(stored) = parse(text) {
                prop_assert!(!matches!(stored.matches(&password, &mut memory()), Ok(true)));
            }
        }
    }
}
