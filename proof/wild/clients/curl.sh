# bash curl.sh URL: curl in a loop, as in a shell script that follows a stream.
last= pause=1
while :; do
	while IFS= read -r line; do
		value=${line#*: }
		case $line in
		'id: '*) id=$value ;;
		'event: '*) kind=$value ;;
		'data: '*) data=$value ;;
		'retry: '*) pause=$(printf '%d.%03d' $((value / 1000)) $((value % 1000))) ;;
		'')
			last=${id-}
			case ${kind-} in
			wild.counted) n=${data#*'"n":'} && echo "{\"what\":\"event\",\"n\":${n%%[!0-9]*}}" ;;
			stream.gap) echo '{"what":"gap"}' ;;
			'') if [[ ${data-} ]]; then echo '{"what":"blank"}'; fi ;;
			esac
			kind= data=
			;;
		esac
	done < <(curl -sSN --max-time 600 ${last:+-H "Last-Event-ID: $last"} "$1")
	sleep "$pause"
done
