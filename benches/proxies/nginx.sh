# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
# nginx: a location for each route, which it finds by a tree. Sourced, never run.

# start_nginx NAME: see benches/proxies.sh.
start_nginx() {
  local file="$work/$1.conf"
  write_nginx "$work/$1" >"$file"
  start "$1" "${on_first[@]}" nginx -e stderr -c "$file" -g "daemon off;"
}

write_nginx() {
  local i path pass="proxy_pass http://shop;"
  [[ $answers != grpc ]] || pass="grpc_pass grpc://shop;"
  cat <<CONF
worker_processes 1;
worker_rlimit_nofile $files;
pid $1.pid;
error_log stderr error;
events { worker_connections $((files / 2)); }
http {
  $(nginx_log)
  client_body_temp_path $1.body;
  proxy_temp_path $1.proxy;
  fastcgi_temp_path $1.fastcgi;
  uwsgi_temp_path $1.uwsgi;
  scgi_temp_path $1.scgi;
  keepalive_requests 1000000000;
  proxy_buffers 32 8k;
  upstream shop {
    server 127.0.0.1:$backend;
    server 127.0.0.2:$backend;
    server 127.0.0.3:$backend;
    keepalive 2048;
    keepalive_requests 1000000000;
  }
  $(nginx_fields)
  ${limits:+limit_req_zone \$binary_remote_addr zone=clients:4m rate=1000000r/s;}
  server {
    listen 127.0.0.1:$port${tls:+ ssl http2};
    ${tls:+ssl_protocols TLSv1.3; ssl_certificate $certificate; ssl_certificate_key $key;}
    ${limits:+limit_req zone=clients burst=1000000 nodelay;}
CONF
  for ((i = 0; i < routes; i++)); do
    path_of "$i"
    printf '    location %s { %s }\n' "$path" "$pass"
  done
  printf '  }\n}\n'
}

nginx_log() {
  if [[ -z $access_log ]]; then
    echo 'access_log off;'
    return
  fi
  cat <<'CONF'
log_format bench escape=json '{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
    '"host":"$host","path":"$uri","protocol":"$server_protocol","status":$status,"bytes_in":$content_length,'
    '"bytes_out":$body_bytes_sent,"duration":$request_time,"route":"shop","endpoint":"$upstream_addr",'
    '"request_id":"$request_id","user_agent":"$http_user_agent"}';
  access_log /dev/null bench buffer=64k flush=1s;
CONF
}

nginx_fields() {
  local kind=proxy connection='""'
  [[ $answers != grpc ]] || kind=grpc
  # shellcheck disable=SC2016 # variables of nginx
  [[ $answers != websocket ]] || {
    connection=upgrade
    echo 'proxy_set_header Upgrade $http_upgrade;'
  }
  [[ $kind == grpc ]] || printf '%s\n' "  proxy_http_version 1.1;" "  proxy_set_header Connection $connection;"
  cat <<CONF
  ${kind}_set_header Host \$host;
  ${kind}_set_header X-Request-ID \$request_id;
  ${kind}_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
CONF
}
