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
            bench.files.patience = laziness;
            bench.files.add_file("F.BIN", &pattern(size));
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
            bench.files.patience = laziness;
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

#[test]
fn text_gets_line_ends_in_both_directions() {
    let text = b"one\ntwo\r\nthree\n\n\rfour\r\n".repeat(700);
    let mut wire = Vec::new();
    for (index, &byte) in text.iter().enumerate() {
        if byte == b'\n' && (index == 0 || text[index - 1] != b'\r') {
            wire.push(b'\r');
        }
        wire.push(byte);
    }
    for shift in 0..4 {
        let mut bench = Bench::new();
        let (text, wire) = (&text[shift..], &wire[shift..]);
        bench.files.add_file("T.TXT", text);
        let client = bench.login("brutman", "passw0rd");
        let (said, got) = bench.fetch(client, "RETR /drive_c/t.txt");
        assert_eq!(Bench::codes(&said), [150, 226]);
        assert!(got == wire, "{shift}");
        for (name, content) in [("A.TXT", text), ("B.TXT", wire)] {
            let said = bench.store(client, &format!("STOR /drive_c/{name}"), content);
            assert_eq!(Bench::codes(&said), [150, 226], "{said}");
            assert!(bench.files.content(name).unwrap() == wire, "{name} {shift}");
        }
    }
}

#[test]
fn transfers_resume_where_they_broke_off() {
    let whole = pattern(30_000);
    let mut bench = Bench::new();
    bench.files.add_file("F.BIN", &whole);
    bench.files.add_file("PART.BIN", &whole[..10_001]);
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "CWD /drive_c");
    bench.ask(client, "REST 5");
    assert_code(&bench.fetch(client, "RETR f.bin").0, 504);
    bench.ask(client, "TYPE I");
    for offset in [1, 511, 512, 12_345, 29_999, 30_000] {
        assert_code(&bench.ask(client, &format!("REST {offset}")), 350);
        let (said, got) = bench.fetch(client, "RETR f.bin");
        assert_eq!(Bench::codes(&said), [150, 226]);
        assert!(got == whole[offset..], "{offset}");
    }
    let (_, got) = bench.fetch(client, "RETR f.bin");
    assert!(got == whole, "REST counts for one transfer");
    bench.ask(client, "REST 30001");
    assert_code(&bench.fetch(client, "RETR f.bin").0, 554);
    for (offset, code) in [(10_002, 554), (10_000, 553)] {
        bench.ask(client, &format!("REST {offset}"));
        assert_code(&bench.store(client, "STOR part.bin", b"x"), code);
    }
    bench.ask(client, "REST 10001");
    let said = bench.store(client, "STOR part.bin", &whole[10_001..]);
    assert_eq!(Bench::codes(&said), [150, 226], "{said}");
    assert!(bench.files.content("PART.BIN").unwrap() == whole);
    // APPE as STOR: RFC 3659 section 5.3 lets REST come before either.
    bench.files.add_file("PART.BIN", &whole[..10_001]);
    for (offset, code) in [(10_002, 554), (10_000, 553)] {
        bench.ask(client, &format!("REST {offset}"));
        assert_code(&bench.store(client, "APPE part.bin", b"x"), code);
    }
    bench.ask(client, "REST 10001");
    let said = bench.store(client, "APPE part.bin", &whole[10_001..]);
    assert_eq!(Bench::codes(&said), [150, 226], "{said}");
    assert!(bench.files.content("PART.BIN").unwrap() == whole);
    bench.settings.clobber_files = true;
    bench.ask(client, "REST 100");
    let said = bench.store(client, "STOR part.bin", &[9; 50]);
    assert_eq!(Bench::codes(&said), [150, 226], "{said}");
    let stored = bench.files.content("PART.BIN").unwrap();
    assert!(stored.len() == 30_000 && stored[100..150] == [9; 50] && stored[150..] == whole[150..]);
    assert_eq!(bench.files.handles(), 0);
}

#[test]
fn the_disk_sees_whole_sectors() {
    let mut bench = Bench::new();
    bench.files.add_file("F.BIN", &pattern(50_000));
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "TYPE I");
    bench.fetch(client, "RETR /drive_c/f.bin");
    bench.store(client, "STOR /drive_c/g.bin", &pattern(50_000));
    for (offset, length) in std::mem::take(&mut bench.files.accesses) {
        let last = offset as usize + length == 50_000;
        assert!(offset % 512 == 0 && (last || length % 512 == 0), "{offset} {length}");
        assert!(last || length >= 2048, "{offset} {length}");
    }
}

#[test]
fn what_a_slow_client_has_sent_is_stored_soon() {
    let mut bench = Bench::new();
    let client = bench.login("brutman", "passw0rd");
    bench.ask(client, "TYPE I");
    bench.passive(client);
    bench.ask(client, "STOR /drive_c/slow.bin");
    bench.feed(client, b"drop");
    assert_eq!(bench.files.content("SLOW.BIN").unwrap(), b"");
    bench.pass(500);
    bench.run(client);
    assert_eq!(bench.files.content("SLOW.BIN").unwrap(), b"drop");
}

#[test]
fn long_listings_arrive_whole() {
    for (laziness, entries) in [(0, 1), (1, 5), (0, 32), (1, 33), (0, 300)] {
        let mut bench = Bench::new();
        (bench.files.patience, bench.files.entries) = (laziness, entries);
        let client = bench.login("brutman", "passw0rd");
        // The send buffer's end comes in between lines, and within them, at ever other places.
        for short in 0..48 {
            let name = |number| match number {
                _ if number < short => format!("{number}"),
                _ => format!("F{number:04}.DAT"),
            };
            let names: Vec<_> = (0..300).map(name).collect();
            let directory = format!("MANY{short}");
            bench.files.add_dir(&directory);
            for name in &names {
                bench.files.add_file(&format!("{directory}/{name}"), b"x");
            }
            for (command, start) in
                [("LIST", "-rw-rw-rw- "), ("NLST", ""), ("MLSD", "type=file;size=1;")]
            {
                let (said, got) = bench.fetch(client, &format!("{command} /drive_c/{directory}"));
                assert_eq!(Bench::codes(&said), [150, 226]);
                let text = String::from_utf8(got).unwrap();
                assert!(
                    text.split_terminator("\r\n").all(|line| line.starts_with(start)),
                    "{text}"
                );
                let got =
                    text.split_terminator("\r\n").map(|line| line.rsplit(' ').next().unwrap());
                assert!(got.eq(&names), "{text}");
            }
        }
        assert_eq!(bench.files.handles(), 0);
    }
}
