// Which job is followed goes out; what becomes of it comes back, and is told to the part that shows it.
playground.hear('follow', (asked) => { props.value = {language: playground.language(), ...asked}; trigger('input'); });
watch('value', () => { if (props.value?.about || props.value?.notice) playground.tell('followed', props.value); });
