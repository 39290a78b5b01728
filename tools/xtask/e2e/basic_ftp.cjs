// The npm package basic-ftp: list, upload, download, resume, rename, delete, directories:
// basic_ftp.cjs HOST PORT USER PASSWORD
//
// Sends up.bin of the current directory as /drive_c/dir/moved.bin, and in two parts as grown.bin; fetches it as
// down.bin, and goes on with part.bin; sends the directory many and fetches it as back.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const { Client } = require("basic-ftp");

const [host, port, user, password] = process.argv.slice(2);

async function session(client) {
    await client.access({ host, port: Number(port), user, password });
    await client.ensureDir("/drive_c/dir");
    await client.uploadFrom("up.bin", "up.bin");
    await client.downloadTo("down.bin", "up.bin");
    const [whole, part] = [fs.statSync("up.bin").size, fs.statSync("part.bin").size];
    await client.uploadFrom("part.bin", "grown.bin");
    await client.appendFrom("up.bin", "grown.bin", { localStart: part });
    await client.downloadTo(fs.createWriteStream("part.bin", { flags: "a" }), "up.bin", part);
    assert.equal(await client.size("grown.bin"), whole);
    const age = Date.now() - (await client.lastMod("up.bin"));
    assert.ok(Math.abs(age) < 600_000, `the file is ${age} ms old`);
    await client.rename("up.bin", "moved.bin");
    await client.uploadFrom("up.bin", "gone.bin");
    await client.remove("gone.bin");
    await assert.rejects(client.remove("gone.bin"), /550/);
    const listed = new Map((await client.list()).map((file) => [file.name.toUpperCase(), file]));
    assert.deepEqual([...listed.keys()].sort(), ["GROWN.BIN", "MOVED.BIN"]);
    assert.equal(listed.get("MOVED.BIN").size, whole);
    assert.ok(listed.get("MOVED.BIN").isFile);
    await client.uploadFromDir("many", "/drive_c/many");
    await client.downloadToDir("back", "/drive_c/many");
    await client.removeDir("/drive_c/many");
    const left = (await client.list("/drive_c")).map((file) => file.name.toUpperCase());
    assert.ok(left.includes("DIR") && !left.includes("MANY"), String(left));
}

const client = new Client(30_000);
session(client)
    .catch((error) => {
        console.error(error);
        process.exitCode = 1;
    })
    .finally(() => client.close());
