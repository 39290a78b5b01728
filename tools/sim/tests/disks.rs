//! What is promised of disks, and the test that shows it.
//!
//! A row is a promise, and the test's function after the file that it is in. [`every_row_names_a_test`] fails when
//! there is no such test. The end-to-end tests (`cargo xtask test --only e2e disk`, `floppy`, `beyond`) show the same
//! in QEMU, through its BIOS and its ATA disks.
//!
//! # Volumes
//!
//! | promise | test |
//! |---|---|
//! | FAT12, FAT16 and FAT32 by the count of clusters alone | src/fat/boot_sector.rs the_number_of_clusters_alone_decides_the_kind |
//! | Everything that a session does, on each of them | tools/sim/tests/fat_basics.rs everything_a_session_does |
//! | Sectors of 512 bytes; others are refused with a message | tools/sim/tests/fat_damage.rs what_is_not_served_is_said |
//! | Clusters up to 64 KB | tools/sim/tests/fat_media.rs clusters_of_64_kilobytes |
//! | Partitions of every FAT type byte, primary and logical, and of no other | tools/sim/tests/fat_partitions.rs the_type_byte_says_what_is_served |
//! | Partitions do not disturb each other | tools/sim/tests/fat_partitions.rs every_partition_of_two_disks_is_sound_after_all_were_written_at_once |
//! | Floppies of 160 KB to 2.88 MB | tools/sim/tests/fat_media.rs floppies_of_mformat |
//! | Floppies without parameter block | tools/sim/tests/fat_media.rs floppies_of_dos_1_without_parameter_block |
//! | Their heads and sectors, for INT 13h | src/block/geometry.rs parameter_blocks_of_floppies_are_believed_and_others_not |
//! | Drive letters in the order of DOS, over several hard disks | tools/sim/tests/fat_faults.rs letters_come_in_the_order_of_dos |
//! | 128 GB: volumes | tools/sim/tests/fat_media.rs a_volume_at_the_end_of_128_gigabytes |
//! | 128 GB: the ATA driver | tools/sim/tests/ata.rs the_last_sector_is_reached_and_none_behind_it |
//! | Volumes beyond 2 GB, files up to 4 GB - 1 | tools/sim/tests/fat_media.rs a_file_ends_at_four_gigabytes |
//! | FSInfo is a hint, and kept right | tools/sim/tests/fat_media.rs an_information_sector_that_lies_is_put_right |
//! | Volume labels | tools/sim/tests/fat_media.rs the_label_is_the_root_directorys |
//! | FAT32 without mirroring | tools/sim/tests/fat_media.rs without_mirroring_the_active_table_alone_is_written |
//!
//! # Damaged volumes
//!
//! | promise | test |
//! |---|---|
//! | What is mounted lies within its partition and makes sense | src/fat/boot_sector.rs believes_no_nonsense |
//! | What is not served is said | tools/sim/tests/fat_damage.rs what_is_not_served_is_said |
//! | No damage makes the server loop or panic | tools/sim/tests/fat_damage.rs mutated_volumes_are_survived |
//! | None makes it write beside the volume | tools/sim/tests/fat_damage.rs a_mutated_volume_leaves_its_neighbours_alone |
//! | Garbage is not written to | tools/sim/tests/fat_damage.rs garbage_is_not_mounted_and_not_written |
//! | Loops in chains | tools/sim/tests/fat_damage.rs a_chain_that_loops_is_not_freed |
//! | Loops in directories | tools/sim/tests/fat_damage.rs a_directory_that_loops_ends |
//! | Directories in a circle | tools/sim/tests/fat_cross_links.rs a_directory_that_is_its_own_grandchild |
//! | Loops in partition tables | tools/sim/tests/fat_faults.rs a_chain_of_partitions_that_loops_ends |
//! | Cross-links in the table | tools/sim/tests/fat_survey.rs cross_linked_files_are_not_freed |
//! | Cross-links by directory entries | tools/sim/tests/fat_cross_links.rs two_entries_that_name_one_chain |
//! | Copies of the table that differ | tools/sim/tests/fat_survey.rs copies_that_differ_on_a_closed_volume_forbid_writing |
//! | More copies than two | tools/sim/tests/fat_media.rs more_tables_than_two_are_read_and_not_written |
//! | A table that is none | tools/sim/tests/fat_survey.rs a_table_that_does_not_begin_as_one_forbids_writing |
//! | Clusters past the end, in the table | tools/sim/tests/fat_survey.rs a_number_past_the_last_cluster_forbids_writing |
//! | Clusters past the end, in a directory | tools/sim/tests/fat_cross_links.rs an_entry_that_names_a_cluster_past_the_end |
//! | Files that name free clusters | tools/sim/tests/fat_cross_links.rs entries_and_chains_that_name_free_clusters |
//! | Chains that are too short | tools/sim/tests/fat_damage.rs a_file_whose_chain_is_too_short_or_broken_is_damaged |
//!
//! # Power cuts
//!
//! | promise | test |
//! |---|---|
//! | After any cut in any operation fsck.fat finds lost chains at worst, and other files are untouched (all cuts: `--ignored`) | tools/sim/tests/fat_power_cut.rs a_sample_of_power_cuts_leaves_sound_volumes |
//! | What was answered is on the disk | tools/sim/tests/server/disks.rs what_was_answered_is_on_the_disk_when_the_power_goes |
//! | A drive's write cache is emptied | tools/sim/tests/ata.rs flush_brings_the_write_cache_to_the_medium |
//! | The dirty bit is set while writing and cleared when quiet | tools/sim/tests/fat_power_cut.rs the_volume_is_marked_while_it_is_written_and_closed_when_quiet |
//! | A second copy of the table that is out of date is renewed | tools/sim/tests/fat_survey.rs an_old_second_copy_of_a_volume_in_use_is_renewed |
//!
//! # Faults
//!
//! | promise | test |
//! |---|---|
//! | A full disk: 452, and the server goes on | tools/sim/tests/server/disks.rs a_full_disk_is_452_and_the_server_goes_on |
//! | The part of the file that was stored is whole | tools/sim/tests/fat_faults.rs a_full_disk_keeps_what_was_stored |
//! | A full root directory | tools/sim/tests/server/disks.rs a_full_root_directory_is_452 |
//! | Write-protected floppies | tools/sim/tests/server/disks.rs a_protected_floppy_is_read_and_not_written |
//! | Read errors are tried again | tools/sim/tests/ata.rs a_sector_that_reads_at_the_third_try_costs_nothing_but_time |
//! | Read errors name the file, and others go on | tools/sim/tests/server/disks.rs a_bad_sector_ends_a_download_with_the_files_name |
//! | Write errors name the file | tools/sim/tests/server/disks.rs a_sector_that_cannot_be_written_ends_an_upload_with_the_files_name |
//! | No sector that fails on write is lost silently | tools/sim/tests/fat_bad_sectors.rs no_sector_that_fails_is_lost_silently |
//! | Nor one that fails in a flush | tools/sim/tests/ata.rs what_is_lost_in_a_flush_is_told_once_and_the_rest_is_saved |
//! | A bad first copy of the table is read from the second | tools/sim/tests/fat_faults.rs the_second_copy_of_the_table_serves_where_the_first_is_bad |
//! | A floppy that is changed is noticed, and gets nothing of the old one | tools/sim/tests/fat_faults.rs nothing_of_one_floppy_comes_to_another |
//! | The same in an upload | tools/sim/tests/server/disks.rs a_floppy_that_is_exchanged_in_an_upload_gets_nothing_of_it |
//! | An empty drive | tools/sim/tests/fat_faults.rs an_empty_floppy_drive_is_not_ready |
//! | A slow disk keeps others waiting for one command at most | tools/sim/tests/server/disks.rs a_slow_disk_keeps_others_waiting_for_one_command_at_most |
//! | Ten clients of a slow disk, too | tools/sim/tests/server/disks.rs ten_clients_of_a_slow_disk_wait_for_one_command_at_most |
//! | A dead drive stops nobody | tools/sim/tests/ata.rs a_dead_drive_does_not_hold_up_its_neighbour |
//!
//! # Others' disks
//!
//! | promise | test |
//! |---|---|
//! | Random sequences leave what a model and another implementation say, fsck.fat finds nothing | tools/sim/tests/fat_random.rs random_sequences_do_what_the_model_does |
//! | Disks as DOS lays them out | tools/sim/tests/fat_dos.rs disks_of_dos_keep_their_system_and_their_boot_sector |
//! | Long names stay with their files, and go with them | tools/sim/tests/fat_faults.rs long_names_stay_with_their_files_and_go_with_them |
//! | Long names go when files and directories move | tools/sim/tests/fat_faults.rs long_names_go_when_files_and_directories_move |
//!
//! # Speed
//!
//! | promise | test |
//! |---|---|
//! | 4 MiB up: 1.03 of its sectors, 300 commands; down: 1.01, 300 | tools/sim/tests/fat_figures.rs transfers_cost_little_more_than_their_data |
//! | A mount of 2 GB reads less than 10 sectors; free space is found between other calls | tools/sim/tests/fat_figures.rs mounting_two_gigabytes_reads_a_few_sectors |
//! | No chain is walked twice | tools/sim/tests/fat_figures.rs no_chain_is_walked_twice |
//! | Directories of thousands of files | tools/sim/tests/fat_figures.rs many_files_in_one_directory |
//! | Files that are written at once lie in long pieces | tools/sim/tests/fat_figures.rs files_written_at_once_lie_in_long_pieces |
//! | No call takes more than one command while others wait | tools/sim/tests/fat_figures.rs no_call_keeps_the_others_waiting |
//! | READ MULTIPLE and WRITE MULTIPLE, 256 sectors a command | tools/sim/tests/ata.rs a_command_carries_256_sectors_by_blocks |
//! | Both channels, master and slave | tools/sim/tests/ata.rs four_drives_and_drives_beside_a_cdrom |
//! | Drives of every age, by CHS or LBA | tools/sim/tests/ata.rs every_sort_of_drive_keeps_what_is_written |
//! | INT 13h transfers up to a track | src/block/geometry.rs every_sector_has_its_place_and_no_call_leaves_its_track |
//! | and never across a line of the DMA | src/block/geometry.rs no_transfer_crosses_a_dma_line |
//!
//! # The provider
//!
//! | promise | test |
//! |---|---|
//! | Each call keeps its contract: a table of its own | tools/sim/tests/fat_contract/main.rs every_promise_has_its_check_or_its_reason |

use sim::promises::{Shown, expect_test, table};

#[test]
fn every_row_names_a_test() {
    let rows = table(include_str!("disks.rs"));
    assert!(rows.len() > 60, "the table has {} rows", rows.len());
    for (promise, shown) in rows {
        match shown {
            Shown::Test(file, name) => expect_test(file, name),
            other => panic!("{promise}: {other:?}"),
        }
    }
}
