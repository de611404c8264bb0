/**
 * The loudspeakers that the browser lets us choose between. Their names and ids never leave this module.
 * @typedef {AudioContext & { setSinkId?: (id: string) => Promise<void> }} Context
 */

/** Entries that stand for another device in the list. */
const ALIASES = new Set(["", "default", "communications"]);

/** @param {Context} context @param {Pick<MediaDevices, "enumerateDevices"> | undefined} media */
export function createOutputs(context, media) {
  let at = 0;
  const ids = async () => {
    if (!context.setSinkId) return [];
    const devices = (await media?.enumerateDevices().catch(() => [])) ?? [];
    return devices.filter(({ kind, deviceId }) => kind === "audiooutput" && !ALIASES.has(deviceId)).map(({ deviceId }) => deviceId);
  };
  return {
    /** @returns {Promise<boolean>} there is another loudspeaker to try */
    possible: async () => (await ids()).length > 1,
    /** Send the digits to the next loudspeaker; what can't be opened is left out. */
    async next() {
      const found = await ids();
      if (found.length === 0) return;
      at = (at + 1) % found.length;
      await context.setSinkId?.(found[at]).catch(() => undefined);
    },
  };
}

/** @typedef {ReturnType<typeof createOutputs>} Outputs */
