package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/crier-go/crier/proof/wild/recipes/reverseproxy"
)

// proxies are tried with their recipe, and then bare, as one configures them
// who has not read it. The latter shows what a recipe is for.
var proxies = slices.Concat(withRecipe, bare(withRecipe))

func bare(proxies []*proxy) []*proxy {
	var all []*proxy
	for _, p := range proxies {
		b := *p
		switch b.name += " bare"; {
		case p.recipe != "":
			b.recipe = "bare/" + p.recipe
			b.files, b.fileDir, b.second = nil, "", ""
		case p.inProcess != nil:
			b.inProcess = serveProxy(func(app *url.URL) http.Handler { return httputil.NewSingleHostReverseProxy(app) })
		default:
			continue
		}
		b.bare, b.short = true, false
		all = append(all, &b)
	}
	return all
}

var withRecipe = []*proxy{
	{name: "direct", short: true},
	{
		name: "nginx", program: "nginx", short: true,
		recipe: "nginx.conf", port: "listen 80;", listen: "listen HOST:PORT;",
		wrap: func(recipe, dir string) string {
			return fmt.Sprintf(`
daemon off; pid %[1]s/pid; worker_processes 1; error_log stderr crit;
events {}
http {
access_log off;
client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;
fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
%[2]s
}
`, dir, recipe)
		},
		command: func(program, config, dir, address string) *exec.Cmd {
			return exec.Command(program, "-c", config, "-e", "stderr")
		},
	},
	{
		name: "haproxy", program: "haproxy", short: true,
		recipe: "haproxy.cfg", port: "bind :80", listen: "bind HOST:PORT",
		command: func(program, config, dir, address string) *exec.Cmd {
			return exec.Command(program, "-db", "-f", config)
		},
	},
	{
		name: "caddy", program: "caddy", short: true,
		recipe: "Caddyfile", port: ":80 {", listen: "http://127.0.0.1:PORT {\n\tbind 127.0.0.1\n",
		wrap: func(recipe, dir string) string {
			return "{\n\tadmin off\n\tauto_https off\n}\n" + recipe
		},
		command: func(program, config, dir, address string) *exec.Cmd {
			cmd := exec.Command(program, "run", "--config", config, "--adapter", "caddyfile")
			cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
			return cmd
		},
	},
	{
		name: "apache", program: "apache2",
		recipe: "apache.conf", port: "<VirtualHost *:80>", listen: "Listen HOST:PORT\n<VirtualHost *:PORT>",
		files: []string{"later.asis"}, fileDir: "/var/www",
		wrap: func(recipe, dir string) string {
			var modules strings.Builder
			for _, m := range []string{"mpm_event", "authz_core", "mime", "alias", "asis", "proxy", "proxy_http", "proxy_wstunnel"} {
				fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
			}
			return fmt.Sprintf(`%[2]s
ServerName localhost
PidFile %[1]s/pid
DefaultRuntimeDir %[1]s
DocumentRoot %[1]s
ErrorLog /dev/stderr
LogLevel crit
TypesConfig /dev/null
%[3]s`, dir, &modules, recipe)
		},
		command: func(program, config, dir, address string) *exec.Cmd {
			return exec.Command(program, "-DFOREGROUND", "-f", config)
		},
	},
	{
		name: "lighttpd", program: "lighttpd",
		recipe: "lighttpd.conf", port: "server.port = 80", listen: "server.port = PORT\nserver.bind = \"127.0.0.1\"",
		files: []string{"later.txt"}, fileDir: "/var/www/later", second: "8099",
		wrap: func(recipe, dir string) string {
			return fmt.Sprintf("server.document-root = \"%s\"\nserver.errorlog = \"/dev/stderr\"\n%s", dir, recipe)
		},
		command: func(program, config, dir, address string) *exec.Cmd {
			return exec.Command(program, "-D", "-f", config)
		},
	},
	{
		name: "varnish", program: "varnishd",
		recipe: "varnish.vcl",
		command: func(program, config, dir, address string) *exec.Cmd {
			return exec.Command(program, "-F", "-a", address, "-f", config, "-n", filepath.Join(dir, "n"), "-s", "malloc,16m", "-j", "none")
		},
	},
	{
		name: "ReverseProxy", short: true,
		inProcess: serveProxy(reverseproxy.New),
	},
	{
		name: "vite", program: "node", needs: needPackages,
		recipe: "vite.config.js", port: "port: 5173,", listen: "port: PORT, host: '127.0.0.1', strictPort: true,",
		wrap: func(recipe, dir string) string {
			// The file is outside of the directory that has vite.
			return strings.Replace(recipe, "import { defineConfig } from 'vite';", "const defineConfig = (c) => ({ ...c, cacheDir: '"+dir+"' });", 1)
		},
		command: func(program, config, dir, address string) *exec.Cmd {
			return inClients(exec.Command(program, "node_modules/vite/bin/vite.js", "dev", "--config", config, "--configLoader", "native"))
		},
	},
	{
		name: "webpack", program: "node", needs: needPackages,
		recipe: "webpack.config.js", port: "port: 8081,", listen: "port: PORT, host: '127.0.0.1',",
		wrap: func(recipe, dir string) string {
			return recipe + "\nObject.assign(module.exports, { mode: 'development', entry: './dev/index.js', output: { path: '" + dir + "/out' } });\n"
		},
		command: func(program, config, dir, address string) *exec.Cmd {
			return inClients(exec.Command(program, "dev-server.mjs", config))
		},
	},
}

// serveProxy serves a proxy in this process.
func serveProxy(handler func(app *url.URL) http.Handler) func(listen, backend string) (func(), error) {
	return func(listen, backend string) (func(), error) {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			return nil, err
		}
		s := &http.Server{
			Handler:           handler(&url.URL{Scheme: "http", Host: backend}),
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          quietLog,
		}
		go s.Serve(l)
		return func() { s.Close() }, nil
	}
}

// needPackages is what a proxy from npm needs.
func needPackages() error { return lookFor("node") }

func inClients(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = "clients"
	return cmd
}
