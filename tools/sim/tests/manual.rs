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
//! | Uploads elsewhere are denied; \[any\] denies none | src/config/users_tests.rs uploads_stay_within_the_incoming_directory |
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
//! | The server makes no file or directory beyond these limits | tools/sim/tests/ftp_engine/long_names.rs what_dos_could_not_name_is_not_made |
//! | A name that is too long is rejected, never cut; with FTPSRV_LONG_NAMES of our own it gets an alias | tools/sim/tests/ftp_engine/long_names.rs a_modern_folder_is_stored_and_found_again |
//! | Names with spaces are refused whole | tools/sim/tests/ftp_engine/commands.rs names_with_spaces_are_refused_whole |
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
//! | The start tells what the server is set up for: clients, buffers, ports, addresses | tools/sim/tests/server/starting.rs the_start_says_what_the_server_is_set_up_for |
//! | A configuration that is not found or not correct is told | tools/sim/tests/server/starting.rs no_mtcp_cfg_is_said_with_where_to_put_one |
//! | An error in the password file is told | tools/sim/tests/server/starting.rs a_bad_password_file_is_said_with_file_and_line |
//! | Too little memory is told | tools/sim/tests/server/starting.rs too_little_memory_is_said_with_figures_and_what_to_lower |
//! | Uploads fail when the disk is full | tools/sim/tests/server/disks.rs a_full_disk_is_452_and_the_server_goes_on |
//! | SITE DISKFREE, SITE STATS, SITE WHO tell of the server from afar | tools/sim/tests/ftp_engine/promises.rs site_stats_and_who_tell_what_the_manuals_do |
//! | More clients than configured get 421 | tools/sim/tests/server/commands.rs ten_clients_are_served_and_the_eleventh_is_told_421 |
//! | An inactive user is disconnected within 10 s after the time-out | tools/sim/tests/server/sessions.rs an_idle_session_ends_within_ten_seconds_of_its_time |
//! | At the end the data connections get up to 10 s | tools/sim/tests/server/console.rs a_transfer_that_does_not_finish_is_cut_off_after_ten_seconds |
//! | Nobody new is let in meanwhile | tools/sim/tests/server/console.rs transfers_may_finish_and_nobody_new_is_let_in |
//! | The beep costs no client any time | tools/sim/tests/server/console.rs the_login_beep_keeps_nobody_waiting |
//! | The MOTD file is shown at login | tools/sim/tests/server/starting.rs the_motd_is_shown_at_login_whatever_its_line_ends |
//! | An MOTD of 600 bytes and more | tools/sim/tests/server/starting.rs a_long_motd_is_shown_whole |
//!
//! # Firewalls, active and passive
//!
//! | promise | test |
//! |---|---|
//! | PASV ports from FTPSRV_PASV_BASE on, in turn, never one in use | tools/sim/tests/server/connections.rs a_passive_port_in_use_is_given_to_nobody_else |
//! | FTPSRV_EXT_IPADDR goes to clients from outside, the real address to those of the same LAN | tools/sim/tests/server/connections.rs clients_from_outside_get_the_firewalls_address_and_neighbours_ours |
//! | PASV works at once after 226 | tools/sim/tests/server/connections.rs pasv_right_after_226_works_five_hundred_times |
//! | Active connections come from the port below the control port | tools/sim/tests/server/connections.rs active_mode_connects_to_the_client_from_the_port_below |
//! | Every client may have a data connection at any time | tools/sim/tests/server/transfers.rs ten_uploads_at_once_mix_nothing |
//!
//! # Notes on specific FTP clients
//!
//! | promise | test |
//! |---|---|
//! | The illusion of a Unix file system: listings as `ls -l` writes them | tools/sim/tests/ftp_engine/commands.rs listings_in_every_form |
//! | Clients that flood a slow server lose nothing | tools/sim/tests/ftp_engine/transfers.rs uploads_of_every_size_arrive_whole |
//! | Clients may put their commands in packets as they like | tools/sim/tests/server/commands.rs commands_are_understood_in_any_split |
//!
//! # Appendix A: FTP commands
//!
//! | promise | test |
//! |---|---|
//! | USER and PASS; only at the login | tools/sim/tests/ftp_engine/commands.rs a_session_from_greeting_to_goodbye |
//! | RNFR, RNTO, DELE, CWD, CDUP, PWD, MKD, RMD and the X forms | tools/sim/tests/ftp_engine/commands.rs names_and_directories |
//! | Each needs its permission | tools/sim/tests/ftp_engine/promises.rs each_command_needs_its_permission |
//! | PASV, PORT | tools/sim/tests/ftp_engine/transfers.rs active_mode_connects_to_the_client |
//! | ABOR | tools/sim/tests/server/transfers.rs abor_ends_a_transfer_with_426_and_226 |
//! | RETR | tools/sim/tests/ftp_engine/transfers.rs downloads_of_every_size_arrive_whole |
//! | STOR never overwrites; APPE makes a file or adds to one | tools/sim/tests/ftp_engine/transfers.rs uploads_never_overwrite_but_append |
//! | STOU chooses a name of its own | tools/sim/tests/server/transfers.rs stou_finds_a_name_of_its_own_for_everybody |
//! | TYPE A converts line ends | tools/sim/tests/ftp_engine/transfers.rs text_gets_line_ends_in_both_directions |
//! | MODE, STRU, TYPE, ALLO, NOOP, SYST, ACCT and the others answer | tools/sim/tests/ftp_engine/commands.rs everything_of_appendix_a_answers |
//! | HELP, and SITE HELP | tools/sim/tests/ftp_engine/promises.rs help_knows_every_command_and_says_what_it_is_for |
//! | FEAT | tools/sim/tests/ftp_engine/promises.rs feat_lists_exactly_what_works |
//! | MDTM | tools/sim/tests/ftp_engine/commands.rs times_are_utc_on_the_wire_and_local_on_disk |
//! | STAT: the server's status, or a listing on the control connection | tools/sim/tests/ftp_engine/promises.rs stat_tells_of_the_session_and_lists_a_path |
//! | STAT during a transfer | tools/sim/tests/server/transfers.rs stat_tells_the_bytes_so_far_and_later_commands_wait |
//! | REIN, which the manual's server lacks | tools/sim/tests/ftp_engine/promises.rs rein_begins_again_and_forgets_no_failure |
//! | REST, which the manual's server lacks | tools/sim/tests/ftp_engine/transfers.rs transfers_resume_where_they_broke_off |
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
//!
//! # What no manual promises: vanished clients hold no slot
//!
//! | promise | test |
//! |---|---|
//! | A reset frees the slot at once | tools/sim/tests/server/sessions.rs a_reset_frees_the_slot_at_once |
//! | A client that restarted is found within 15 s | tools/sim/tests/server/sessions.rs a_client_that_forgot_its_connection_is_found_by_the_keep_alive |
//! | One whose power was cut in a transfer, within 31 s | tools/sim/tests/server/sessions.rs a_client_that_died_in_a_download_loses_its_slot_long_before_the_session_time |
//! | The same in an upload, and what was stored stays | tools/sim/tests/server/sessions.rs a_client_that_died_in_an_upload_loses_its_slot_and_its_file_stays |
//! | An idle one within 45 s | tools/sim/tests/server/sessions.rs a_client_whose_power_was_cut_while_idle_is_found_within_45_seconds |
//! | A silence of 10 s costs no connection | tools/sim/tests/net/death.rs a_line_that_is_silent_for_ten_seconds_costs_no_connection |
//! | Nor does a pause of minutes | tools/sim/tests/net/death.rs a_client_that_pauses_is_not_dead |
//! | Handshakes that are never finished hold no listener | tools/sim/tests/server/sessions.rs handshakes_that_never_end_keep_nobody_out |

use sim::promises::{Shown, expect_test, has_test, table};

#[test]
fn every_row_names_a_test() {
    let rows = table(include_str!("manual.rs"));
    assert!(rows.len() > 30, "the table has {} rows", rows.len());
    for (promise, shown) in rows {
        match shown {
            Shown::Test(file, name) => expect_test(file, name),
            other => panic!("{promise}: {other:?}"),
        }
    }
}

#[test]
fn a_row_without_a_test_would_be_found() {
    let source = "#[test]\nfn real() {}\n fn helper() {}\n#[test]\n    fn longer_name() {}";
    assert!(has_test(source, "real") && has_test(source, "longer_name"));
    assert!(!has_test(source, "helper") && !has_test(source, "longer") && !has_test(source, "x"));
}
