//! Transfers: what arrives is what was sent, and what was not is not said to be.

use super::bench::*;

fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn downloads_of_every_size_arrive_whole() {
    for laziness in [0, 2] {
        for size in [0, 1, 511, 512, 513, 2048, 4095, 4096, 4097, 12_288, 100_000] {
            let mut bench = Bench::new();
            bench.files.laziness = laziness;
            bench.files.add("F.BIN", &pattern(size));
            let client = bench.login("brutman", "passw0rd");
            bench.ask(client, "TYPE I");
            let (said, got) = bench.fetch(client, "RETR /drive_c/f.bin");
            assert_eq!(Bench::codes(&said), [150, 226], "{said}");
            assert!(got == pattern(size), "{size}");
            assert_eq!(bench.files.handles(), 0);
        }
    }
}

#[test]
fn uploads_of_every_size_arrive_whole() {
    for laziness in [0, 2] {
        for size in [0, 1, 511, 512, 513, 2048, 4095, 4096, 4097, 12_288, 100_000] {
            let mut bench = Bench::new();
            bench.files.laziness = laziness;
            let client = bench.login("brutman", "passw0rd");
            bench.ask(client, "TYPE I");
            let said = bench.store(client, "STOR /drive_c/f.bin", &pattern(size));
            assert_eq!(Bench::codes(&said), [150, 226], "{said}");
            assert!(bench.files.content("F.BIN").unwrap() == pattern(size), "{size}");
            assert_eq!(bench.files.handles(), 0);
        }
    }
}

#[test]
fn active_mode_connects_to_the_client() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    assert_code(&bench.ask(client, "PORT 192,168,1,77,200,1"), 200);
    let said = bench.ask(client, "RETR /drive_c/readme.txt");
    assert_code(&said, 150);
    let (to, from) = bench.peers[client].data.connecting().unwrap();
    assert_eq!((to.to_string().as_str(), from), ("192.168.1.77:51201", 20));
    bench.peers[client].data.establish();
    assert_code(&bench.run(client), 226);
    assert_eq!(bench.peers[client].data.take(), b"hello\r\n");
}

#[test]
fn uploads_never_overwrite_but_append() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "TYPE I");
    bench.ask(client, "CWD /drive_c");
    assert_code(&bench.store(client, "STOR readme.txt", b"x"), 553);
    assert_eq!(bench.files.content("README.TXT").unwrap(), b"hello\r\n");
    assert_eq!(Bench::codes(&bench.store(client, "APPE readme.txt", b"more")), [150, 226]);
    assert_eq!(bench.files.content("README.TXT").unwrap(), b"hello\r\nmore");
    assert_eq!(Bench::codes(&bench.store(client, "APPE new.txt", b"new")), [150, 226]);
    assert_eq!(bench.files.content("NEW.TXT").unwrap(), b"new");
    let said = bench.store(client, "STOU", b"unique");
    assert!(said.starts_with("150 FILE: U"), "{said}");
    let name = said[10..].split("\r\n").next().unwrap();
    assert_eq!(bench.files.content(name).unwrap(), b"unique");
    let said = bench.store(client, "STOU", b"another");
    assert!(!said.contains(name), "{said}");
    bench.settings.clobber_files = true;
    assert_eq!(Bench::codes(&bench.store(client, "STOR readme.txt", b"x")), [150, 226]);
    assert_eq!(bench.files.content("README.TXT").unwrap(), b"x");
}
