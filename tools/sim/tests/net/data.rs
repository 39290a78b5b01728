//! Data connections: passive ports and their owners, active connections, and the next one at once.

use crate::rig::{ALICE, PASSIVE, Rig};
use ftpsrv::net::{DataState, PortError};

#[test]
fn a_stranger_neither_gets_in_nor_keeps_the_owner_out() {
    let mut rig = Rig::new();
    rig.stack.data(0).unwrap().listen(PASSIVE.port(), ALICE).unwrap();
    let stranger = rig.mallory.connect(PASSIVE);
    rig.run(1500);
    assert!(!rig.mallory.was_open(stranger));
    assert_eq!(rig.stack.data(0).unwrap().state(), DataState::Listening);
    assert!(rig.stack.statistics().strangers >= 2);
    let owner = rig.alice.connect(PASSIVE);
    rig.until("the owner", 100, |rig| rig.stack.data(0).unwrap().state() == DataState::Open);
    assert!(rig.alice.was_open(owner));
}

#[test]
fn the_same_port_listens_again_at_once() {
    let mut rig = Rig::new();
    for round in 0u8..20 {
        let connection = rig.passive(0);
        rig.stack.data(0).unwrap().send(&mut |space| {
            space[..3].fill(round);
            3
        });
        rig.stack.data(0).unwrap().close();
        rig.until("the file", 100, |rig| rig.alice.is_over(connection));
        assert_eq!(rig.alice.received(connection), [round; 3]);
        rig.alice.close(connection);
        let start = rig.network.now();
        rig.until("a free port", 100, |rig| {
            let result = rig.stack.data(0).unwrap().listen(PASSIVE.port(), ALICE);
            assert_ne!(result, Err(PortError::Unusable));
            result.is_ok()
        });
        assert!(rig.network.now().since(start) < 10);
    }
}
