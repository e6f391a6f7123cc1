using TorBalancer.Configuration.Schema;

namespace TorBalancer.Daemon.Manual;

/// <summary>torbalancer.conf(5), from the table of keys.</summary>
internal static class ConfigurationPage
{
    public static ManPage Write(ConfigurationSchema schema, string version, string date)
    {
        var page = new ManPage("torbalancer.conf", 5, "configuration of torbalancer", version, date);
        page.Heading("DESCRIPTION");
        page.Text(
            "The file is optional, and so is every section and key in it: what is not there has its default. The first of these is read:");
        page.Item("1.", "the file that `--config` names,");
        page.Item("2.", "the file that the environment variable `TORBALANCER_CONFIG` names,");
        page.Item("3.", "`~/.config/torbalancer/torbalancer.conf` (`$XDG_CONFIG_HOME` instead of `~/.config` when it is set),");
        page.Item("4.", "`/etc/torbalancer/torbalancer.conf`, which the service uses.");
        page.Text(
            "Behind it come the files of the folder `workers.d` beside it whose names end in `.conf`, in the order of their names, as if "
                + "all were one.");
        page.Text("`torbalancer check` shows everything that is wrong with it, each mistake with its place and with what is allowed.");
        page.Example("""
            ; or # at the start of a line begins a comment
            [Listener:lan]                      ; a section; of those with a name there may be many
            Address = 192.168.1.2:1080          ; a ; behind a value and a space begins a comment
            AllowFrom = 192.168.1.0/24
            [Worker:a]
            ReconnectCommand = "one ; two"      ; double quotes around a whole value are taken off
            """);
        page.Text(
            "The file is UTF-8. Names of sections and keys, and words such as modes, may be written in any letter case. Durations are a "
                + "whole number with `ms`, `s`, `m` or `h`; sizes one with `KiB`, `MiB` or `GiB`. Switches are `yes` or `no`. Lists are "
                + "separated by commas. An IPv6 address with a port stands in brackets. An empty value means the default. Relative paths "
                + "start at the directory of the file, and `~/` is the home directory. What is given twice or does not exist is an error.",
            "The environment and the command line win over the file:");
        page.Example("TORBALANCER_Balancing__Mode=random\ntorbalancer run --Balancing:Mode=random --Worker:w1:Address 10.0.0.1");
        page.Text(
            "Passwords are never shown, not in errors either. A file that holds some should be readable by the daemon only: mode 0640 and "
                + "the group `torbalancer` for the service.");
        foreach (var section in schema.Sections)
            WriteSection(page, section);
        page.Heading("EXAMPLES");
        page.Text("Two tor processes that run already, and a second port for the local network that asks for a password:");
        page.Example("""
            [Listener:main]
            Address = 127.0.0.1:1080

            [Listener:lan]
            Address = 192.168.1.2:1080
            Auth = required
            UsersFile = /etc/torbalancer/users

            [Worker:a]
            SocksPort = 9050

            [Worker:b]
            Address = 10.0.0.5
            SocksPort = 9050
            """);
        page.Heading("SEE ALSO");
        page.Text("`torbalancer`(1), `tor`(1)");
        return page;
    }

    private static void WriteSection(ManPage page, SchemaSection section)
    {
        page.Heading($"[{section.Header}]");
        page.Text(section.About);
        foreach (var key in section.Keys)
        {
            string value = key.Default.Length > 0 ? $"Default: `{key.Default}`." : "Default: empty.";
            page.Item($"`{key.Name}`", key.Description, $"Allowed: {key.Allowed}. {value}");
        }
    }
}
