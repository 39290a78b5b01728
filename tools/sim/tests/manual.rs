//! What the manual promises, and the test that shows it.
//!
//! A row is a promise of mTCP FtpSrv's manual (or of the documentation of its later builds), and the test's
//! function after the file that it is in. [`every_row_names_a_test`] fails when there is no such test.
//!
//! # Configuration parameters
//!
//! | promise | test |
//! |---|---|
//! | All parameters come from the configuration file | src/config/mtcp_cfg_tests.rs each_setting_is_read |
//! | Unlisted parameters have the manual's defaults: 180 s, port 21, 2048 and 1024 ports, 3 clients, 8 KB, 1 packet | src/config/mtcp_cfg_tests.rs defaults_are_the_manuals |
//! | FTPSRV_PASSWORD_FILE is required | src/config/mtcp_cfg_tests.rs a_missing_password_file_stops_the_start |
//! | Files are named by full path, in DOS's form or the server's | src/config/file_name.rs both_forms_name_the_same_file |
//! | FTPSRV_LOG_FILE is appended to | tools/sim/tests/log_file.rs a_power_cut_costs_the_last_seconds_alone |
//! | FTPSRV_LOG_FILE: connections and transfers are logged | src/server/event_line.rs lines_say_who_and_what |
//! | FTPSRV_SESSION_TIMEOUT 60 to 7200 s, FTPSRV_CONTROL_PORT, FTPSRV_PASV_BASE 1024 to 32767, FTPSRV_PASV_PORTS 10 to 10240, FTPSRV_CLIENTS 1 to 10, FTPSRV_PACKETS_PER_POLL 1 to 10, MTU 46 to 1500 | src/config/mtcp_cfg_tests.rs ranges_end_where_the_manual_says |
//! | FTPSRV_FILEBUFFER_SIZE and FTPSRV_TCPBUFFER_SIZE 4 to 16 KB by 1 KB | src/config/mtcp_cfg_tests.rs buffer_sizes_may_be_written_in_kilobytes_or_bytes |
//! | FTPSRV_EXT_IPADDR is a numerical address | src/config/mtcp_cfg_tests.rs wrong_values_are_named_with_what_would_be_right |
//! | FTPSRV_EXCLUDE_DRIVES, FTPSRV_CLOBBER_FILES of later builds | src/config/mtcp_cfg_tests.rs each_setting_is_read |
//! | A wrong configuration gives an error that tells what is wrong | src/config/mtcp_cfg_tests.rs all_errors_are_reported_at_once |
//! | PACKETINT and other programs' lines do no harm | src/config/mtcp_cfg_tests.rs lines_of_other_programs_are_noted_and_skipped |
//! | The lines of mTCP's DHCP client are understood | src/config/mtcp_cfg_tests.rs the_dhcp_clients_lines_are_known |
//! | Keywords in any case, comments, blank lines, both line ends, Ctrl-Z | src/config/mtcp_cfg_tests.rs form_of_the_file_makes_no_difference |
//!
//! # Setting up the password file
//!
//! | promise | test |
//! |---|---|
//! | One entry a line: userid password sandbox incoming permissions; the sample file | src/config/users_tests.rs the_manuals_sample_means_what_the_manual_says |
//! | Userids and passwords of up to 10 characters | src/config/users_tests.rs names_and_passwords_have_up_to_ten_characters |
//! | Any mix of characters in a password, which counts exactly | src/config/users_tests.rs userids_fold_case_and_passwords_do_not |
//! | \[email\] takes any input but a blank line | src/config/users_tests.rs email_admits_anything_but_a_blank_line |
//! | The sandbox is a full path /drive_X/path; \[none\] for no sandbox | src/config/users_tests.rs each_error_names_its_line_and_the_remedy |
//! | A sandbox may be a drive | src/config/users_tests.rs a_sandbox_may_be_a_whole_drive |
//! | The user cannot escape the sandbox | src/vfs/path_tests.rs no_walk_leads_out_of_a_sandbox |
//! | Without sandbox all drives are seen, as /drive_X | src/vfs/path_tests.rs without_sandbox_the_root_holds_the_drives |
//! | The incoming directory is relative to the sandbox; without one it is absolute | src/config/users_tests.rs an_incoming_directory_in_a_sandbox_is_relative_to_it |
//! | Uploads elsewhere are denied; \[any\] denies none | src/vfs/permission.rs uploads_stay_within_the_incoming_directory |
//! | Permissions: all, or DELE MKD RMD RNFR STOR APPE STOU one by one | src/vfs/permission.rs keywords_are_the_manuals_in_any_case |
//! | What is not granted is not allowed | src/vfs/permission.rs all_is_every_single_one_and_none_is_none |
//! | The password file is scanned at the start, errors are told | src/config/users_tests.rs every_line_is_checked_and_comments_count |
//! | An anonymous user without sandbox is a danger | src/config/users_tests.rs what_is_allowed_but_hardly_meant_is_a_warning |
//!
//! # DOS filesystem limitations
//!
//! | promise | test |
//! |---|---|
//! | 63 characters of path, 78 in all | src/vfs/path_tests.rs limits_of_dos_paths_are_the_manuals |
//! | Names are 8.3, of DOS's characters; an invalid one is rejected | src/vfs/path_tests.rs what_is_no_name_is_refused_whole |
//! | High-bit characters have no meaning to the server | src/vfs/path_tests.rs the_wire_gets_the_disks_bytes_and_messages_do_not |
//! | Slashes lead to drives and directories; relative paths start at the current one | src/vfs/path_tests.rs parts_slashes_and_dots_lead_where_users_expect |
//!
//! # Starting, running and ending
//!
//! | promise | test |
//! |---|---|
//! | A status line with total connections and active sessions on top, the log below | src/console/tests.rs status_line_and_rule_are_where_mtcps_are |
//! | The rest of the screen is the log | src/console/tests.rs the_log_fills_the_screen_and_scrolls |
//! | Alt-B toggles the beeper that signals logins | src/console/beeper.rs off_is_silent_at_once |
//! | Alt-H: help | src/console/tests.rs help_names_every_key_and_any_key_leaves_it |
//! | Alt-S: statistics; Alt-U of later builds: users | src/console/tests.rs pages_of_the_servers_are_asked_for_and_filled |
//! | Alt-X and Ctrl-C: exit | src/console/tests.rs the_end_stays_on_the_screen |
//!
//! # The whole server
//!
//! | promise | test |
//! |---|---|
//! | Up to 10 clients at once; one more is told 421 | tools/sim/tests/server/commands.rs ten_clients_are_served_and_the_eleventh_is_told_421 |
//! | Sessions time out, checked within 10 seconds | tools/sim/tests/server/sessions.rs an_idle_session_ends_within_ten_seconds_of_its_time |
//! | A transfer that goes on keeps its session | tools/sim/tests/server/sessions.rs a_transfer_that_goes_on_is_no_idleness |
//! | FTPSRV_PASV_BASE and FTPSRV_PASV_PORTS: ports in turn, at once after the last transfer | tools/sim/tests/server/connections.rs pasv_right_after_226_works_five_hundred_times |
//! | No port that is in use is given out | tools/sim/tests/server/connections.rs a_passive_port_in_use_is_given_to_nobody_else |
//! | FTPSRV_EXT_IPADDR for clients from outside | tools/sim/tests/server/connections.rs clients_from_outside_get_the_firewalls_address_and_neighbours_ours |
//! | Active connections come from the port below the control port | tools/sim/tests/server/connections.rs active_mode_connects_to_the_client_from_the_port_below |
//! | FTPSRV_MOTD_FILE is shown at login, 600 bytes and more | tools/sim/tests/server/starting.rs a_long_motd_is_shown_whole |
//! | FTPSRV_LOG_FILE has date, time, client, user and event | tools/sim/tests/server/log.rs everything_that_happens_is_in_the_log_with_date_client_and_user |
//! | FTPSRV_EXCLUDE_DRIVES hides drives | tools/sim/tests/server/starting.rs excluded_drives_are_not_served |
//! | Errors of the configuration stop the start with file, line and range | tools/sim/tests/server/starting.rs a_wrong_line_is_named_with_its_number_value_and_range |
//! | Too much for the memory is said at the start | tools/sim/tests/server/starting.rs too_little_memory_is_said_with_figures_and_what_to_lower |
//! | Ending: no new clients, transfers get 10 seconds | tools/sim/tests/server/console.rs transfers_may_finish_and_nobody_new_is_let_in |
//! | Ending: what does not finish is cut off | tools/sim/tests/server/console.rs a_transfer_that_does_not_finish_is_cut_off_after_ten_seconds |
//! | A beep for each login | tools/sim/tests/server/console.rs the_login_beep_keeps_nobody_waiting |

use std::path::Path;

/// File and function of each row.
fn rows() -> Vec<(&'static str, &'static str)> {
    let table = include_str!("manual.rs").lines().take_while(|line| line.starts_with("//!"));
    let cells = table.filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"));
    cells
        .filter_map(|row| row.rsplit_once(" | "))
        .filter(|(_, test)| *test != "test")
        .map(|(promise, test)| test.split_once(' ').unwrap_or_else(|| panic!("{promise}: {test}")))
        .collect()
}

/// Whether a test function `name` is in `source`.
fn has_test(source: &str, name: &str) -> bool {
    source.match_indices("#[test]").any(|(start, attribute)| {
        let after = source[start + attribute.len()..].trim_start();
        after
            .strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with("()"))
    })
}

#[test]
fn every_row_names_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rows = rows();
    assert!(rows.len() > 30, "the table has {} rows", rows.len());
    for (file, name) in rows {
        let source = std::fs::read_to_string(root.join(file))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(has_test(&source, name), "{file} has no test {name}");
    }
}

#[test]
fn a_row_without_a_test_would_be_found() {
    let source = "#[test]\nfn real() {}\n fn helper() {}\n#[test]\n    fn longer_name() {}";
    assert!(has_test(source, "real") && has_test(source, "longer_name"));
    assert!(!has_test(source, "helper") && !has_test(source, "longer") && !has_test(source, "x"));
}
