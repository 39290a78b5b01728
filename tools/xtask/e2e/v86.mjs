// The PC of v86 (npm) under Node. COM1's lines and the network card's IP packets go over one TCP connection
// to xtask, packets as SLIP frames (RFC 1055); ARP is answered here.
//
// node v86.mjs PACKAGE PORT MEGABYTES BIOS VGABIOS FLOPPY [DISK]      (FLOPPY - for none; disks are not written back)
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [home, port, megabytes, bios, vgaBios, floppy, disk] = process.argv.slice(2);
const { V86 } = await import(pathToFileURL(path.join(home, "build/libv86.mjs")).href);

const END = 0xc0, ESC = 0xdb, ESC_END = 0xdc, ESC_ESC = 0xdd;
const GATEWAY = [192, 168, 7, 1];
const GATEWAY_STATION = [2, 0, 0, 0, 7, 1];

const image = (file) => {
    const bytes = fs.readFileSync(file);
    return { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) };
};

const line = net.connect(Number(port), "127.0.0.1");
line.setNoDelay(true);
line.on("error", () => process.exit(0));
line.on("close", () => process.exit(0));

const pc = new V86({
    wasm_path: path.join(home, "build/v86.wasm"),
    memory_size: Number(megabytes) * 1024 * 1024,
    vga_memory_size: 1024 * 1024,
    bios: image(bios),
    vga_bios: image(vgaBios),
    fda: floppy === "-" ? undefined : image(floppy),
    hda: disk ? image(disk) : undefined,
    boot_order: floppy === "-" ? 0x312 : 0x321,
    net_device: { type: "ne2k" },
    disable_speaker: true,
    autostart: true,
});

let text = [];
pc.add_listener("serial0-output-byte", (byte) => {
    text.push(byte);
    if (byte === 0x0a) {
        line.write(Buffer.from([END, ...text, END]));
        text = [];
    }
});

// The card's address is its own choice; asked for by ARP before the first packet.
const EVERYBODY = [255, 255, 255, 255, 255, 255];
let station = null;
const toGuest = (type, payload) =>
    pc.bus.send("net0-receive", Uint8Array.from([...(station ?? EVERYBODY), ...GATEWAY_STATION, ...type, ...payload]));
const arp = (operation, ...addresses) =>
    toGuest([8, 6], [0, 1, 8, 0, 6, 4, 0, operation, ...GATEWAY_STATION, ...GATEWAY, ...addresses.flat()]);
const deliver = (packet) => {
    // What comes too early is sent again by who sent it.
    if (station) toGuest([8, 0], packet);
    else arp(1, [0, 0, 0, 0, 0, 0], packet.slice(16, 20));
};

pc.add_listener("net0-send", (frame) => {
    station = [...frame.subarray(6, 12)];
    const [high, low] = [frame[12], frame[13]];
    const packet = frame.subarray(14);
    if (high === 8 && low === 0) {
        // Short frames are padded.
        const bytes = packet.subarray(0, (packet[2] << 8) | packet[3]);
        const escaped = [...bytes].flatMap((byte) =>
            byte === END ? [ESC, ESC_END] : byte === ESC ? [ESC, ESC_ESC] : [byte]);
        line.write(Buffer.from([END, ...escaped, END]));
    } else if (high === 8 && low === 6 && packet[7] === 1 && GATEWAY.every((byte, at) => packet[24 + at] === byte)) {
        arp(2, [...packet.subarray(8, 18)]);
    }
});

let packet = [], escape = false;
line.on("data", (bytes) => {
    for (const byte of bytes) {
        if (byte === END) {
            if (packet.length > 0) deliver(packet);
            packet = [];
        } else if (byte === ESC) {
            escape = true;
        } else {
            packet.push(!escape ? byte : byte === ESC_END ? END : ESC);
            escape = false;
        }
    }
});
