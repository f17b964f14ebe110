// What a job's model is to become goes out; how far that is comes back, and is told to the part that shows it.
let n = 0;
playground.hear('make', (asked) => { asked.n = ++n; props.value = {language: playground.language(), ...asked}; trigger('input'); });
watch('value', () => { if (props.value?.share !== undefined || props.value?.url || props.value?.deleted || props.value?.notice) playground.tell('made', props.value); });
