// What a run has said so far, handed on to the editor beside it: the editor itself is then never sent while it streams.
watch('value', () => { if (props.value) playground.tell(props.event, props.value); });
