// Keeps what this page's calls play, for the test that drives it. It hears the tracks as they come out of the network,
// after the browser's own jitter buffer: what a person would hear.
(() => {
  const rate = 8000, parts = [];
  let context, begun = 0, samples = 0, late = [];
  // A browser that is short of time drops blocks of sound: what comes after them would seem to be heard too early. All of
  // the last second's blocks are late by what was dropped.
  const catchUp = (ended) => {
    late.push(performance.now() - ended);
    if (late.length < 8) return;
    const dropped = Math.min(...late);
    if (dropped > 50) begun += dropped;
    late = dropped > 50 ? [] : late.slice(1);
  };
  const mix = () => {
    if (context) return context;
    const audio = new AudioContext({ sampleRate: rate });
    const tap = audio.createScriptProcessor(1024, 1, 1);
    tap.onaudioprocess = (event) => {
      const heard = event.inputBuffer.getChannelData(0), pcm = new Int16Array(heard.length);
      for (let i = 0; i < heard.length; i++) pcm[i] = Math.max(-1, Math.min(1, heard[i])) * 32767;
      if (samples === 0) begun = performance.now() - 1000 * heard.length / rate;
      catchUp(begun + 1000 * (samples + heard.length) / rate);
      parts.push({ at: begun + 1000 * samples / rate, pcm });
      samples += heard.length;
    };
    const silent = audio.createGain();
    silent.gain.value = 0;
    tap.connect(silent).connect(audio.destination);
    return (context = { audio, tap });
  };
  window.__ear = {
    take: () => parts.splice(0).map(({ at, pcm }) => {
      const bytes = new Uint8Array(pcm.buffer);
      let text = '';
      for (const b of bytes) text += String.fromCharCode(b);
      return { at, pcm: btoa(text) };
    }),
  };
  // The person says one note without pause, which a browser that suppresses noise takes for noise.
  const ask = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
  if (ask) navigator.mediaDevices.getUserMedia = (wanted) => ask({ ...wanted, audio: wanted?.audio && {
    ...(wanted.audio === true ? {} : wanted.audio), echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(...args) {
      super(...args);
      this.addEventListener('track', (event) => {
        const { audio, tap } = mix();
        audio.createMediaStreamSource(new MediaStream([event.track])).connect(tap);
      });
    }
  };
})();
