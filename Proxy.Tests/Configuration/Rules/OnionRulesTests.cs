using TorBalancer.Configuration;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Tests.Configuration.Rules;

/// <summary>[Publisher], [OnionService:…] and [Instance:…]: what is read, and what is wrong with it.</summary>
public class OnionRulesTests
{
    // Addresses of tor's rend-spec and of the Tor project.
    private const string First = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid",
        Second = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd";

    private const string Service = "[OnionService:shop]\nKey = /k\n";

    [Test]
    public void Everything_that_can_be_said_is_read()
    {
        var result = Load($"""
            [Publisher]
            ControlPort = unix:/run/tor/control
            ControlCookie = /run/tor/cookie
            SocksPort = 9050
            Status = unix:/run/p.sock
            [OnionService:shop]
            Key = /k
            Descriptors = distinct
            [Instance:shop/node1]
            Address = {First.ToUpperInvariant()}.onion
            Weight = 3
            HealthCheck = http:8080/up?now
            [Instance:shop/node2]
            Address = {Second}
            HealthCheck = tcp:80
            """);

        Assert.That(Loading.Join(result.Errors) + Loading.Join(result.Warnings), Is.Empty);
        var (publisher, service) = (result.Options.Publisher, result.Options.OnionServices.Single());
        Assert.Multiple(() =>
        {
            Assert.That(publisher.IsManaged, Is.False);
            Assert.That(publisher.ControlEndPoint!.ToString(), Is.EqualTo("/run/tor/control"));
            Assert.That(publisher.ControlCookie, Is.EqualTo("/run/tor/cookie"));
            Assert.That(publisher.SocksEndPoint!.ToString(), Is.EqualTo("127.0.0.1:9050"));
            Assert.That(publisher.Status, Is.EqualTo("unix:/run/p.sock"));
            Assert.That((service.Name, service.Key, service.Descriptors), Is.EqualTo(("shop", "/k", DescriptorSets.Distinct)));
            Assert.That(
                result.Options.Instances.Select(static one => (one.FullName, one.Address, one.Weight, one.HealthCheck)),
                Is.EqualTo(new[]
                {
                    ("shop/node1", First, 3, new InstanceCheck(InstanceCheckKind.Http, 8080, "/up?now")),
                    ("shop/node2", Second, 1, new InstanceCheck(InstanceCheckKind.Tcp, 80, "")),
                }));
        });
    }

    [TestCase("[Instance:a]\nAddress = x",
        "t.conf:1: [Instance:a] has a name that is not allowed; allowed: service/name, each of them letters")]
    [TestCase("[Instance]", "t.conf:1: [Instance] needs a name of its own: [Instance:service/name]")]
    [TestCase("[OnionService:a/b]", "t.conf:1: [OnionService:a/b] has a name that is not allowed; allowed: letters")]
    [TestCase(Service, "t.conf:2: [OnionService:shop] has no instance; add an [Instance:shop/name] for each backend")]
    [TestCase("[OnionService:shop]\n[Instance:shop/a]\nAddress = {1}", "t.conf:1: [OnionService:shop] needs a Key")]
    [TestCase(Service + "[Instance:shop/a]", "t.conf:3: [Instance:shop/a] needs an Address: its own onion address")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\n[Instance:shoo/b]\nAddress = {2}",
        "t.conf:6: [Instance:shoo/b] belongs to no service: there is no [OnionService:shoo]; did you mean [Instance:shop/b]?")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\n[Instance:shop/b]\nAddress = {1}.onion",
        "t.conf:6: [Instance:shop/b] 2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion is the address of "
            + "[Instance:shop/a] already")]
    [TestCase("[OnionService:shop]\nKey = /none\n[Instance:shop/a]\nAddress = {1}",
        "t.conf:2: [OnionService:shop] Key = \"/none\" does not exist")]
    [TestCase("[OnionService:shop]\nKey = /folder\n[Instance:shop/a]\nAddress = {1}",
        "t.conf:2: [OnionService:shop] Key = \"/folder\" is a directory")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\n[Instanc:shop/b]\nAddress = {2}", "did you mean [Instance:shop/b]?")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\n[Instanc:b]\nAddress = {2}", "did you mean [Instance:service/b]?")]
    [TestCase("[OnionService:shop]\nKeyFile = /k\n[Instance:shop/a]\nAddress = {1}", "did you mean \"Key\"?")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\nWeight = 0", "Weight = \"0\" is out of range; allowed: a number from 1 to 100")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\n[Publisher]\nControlPort = tor.example:9051",
        "allowed: a port of this machine, IP:PORT or unix:/path")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\n[Publisher]\nControlPort = 10.0.0.1:0", "has port 0")]
    [TestCase("[OnionService:shop]\nKey = /open\n[Instance:shop/a]\nAddress = {1}",
        "t.conf:2: [OnionService:shop] Key = \"/open\" can be read or written by others (mode 640): only mode 0600 or less is taken")]
    [TestCase(Service + "[OnionService:b]\nKey = /k\n[Instance:shop/a]\nAddress = {1}\n[Instance:b/a]\nAddress = {2}",
        "t.conf:4: [OnionService:b] Key = \"/k\" is the key of [OnionService:shop] already; two addresses have two keys")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = 2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wie",
        "is not a valid onion address (its checksum does not match)")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = http://{1}.onion", "is more than an onion address")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = expyuzz4wqqyqhjn.onion",
        "is an onion address of version 2, which tor serves no more")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = www.{1}.onion", "has a dot in front of .onion")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\nHealthCheck = tcp", "has no port from 1 to 65535 behind tcp:")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\nHealthCheck = tcp:80/x", "did you mean \"http:80/x\"?")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\nHealthCheck = https:443/",
        "is no kind of check; allowed: none, tcp:PORT or http:PORT/path")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\nHealthCheck = http:80/a b",
        "has a path with characters that no request can carry")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\n[Publisher]\nManaged = no",
        "t.conf:6: [Publisher] Managed = no needs ControlPort, the control port of a tor that nobody else uses")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\n[Publisher]\nManaged = yes\nControlPort = 9051",
        "t.conf:7: [Publisher] ControlPort contradicts Managed = yes")]
    [TestCase("[Publisher]\nControlPort = 9051\nControlCookie = /c\nControlPassword = p",
        "[Publisher] ControlPassword and ControlCookie contradict")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\nHealthCheck = tcp:80\n[Publisher]\nControlPort = 9051",
        "t.conf:5: [Instance:shop/a] HealthCheck needs a client to connect through: [Publisher] SocksPort = a worker's, or Managed = yes")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\n[Publisher]\nControlPort = 9051\n[Worker:w]\nControlPort = 9051",
        "t.conf:6: [Publisher] 127.0.0.1:9051 is the control port of [Worker:w]")]
    [TestCase(Service + "[Instance:shop/a]\nAddress = {1}\n[Publisher]\nExtraTorrc = /nope",
        "[Publisher] ExtraTorrc = \"/nope\" does not exist")]
    public void Mistakes_are_named(string text, string expected)
    {
        var result = Load(text.Replace("{1}", First, StringComparison.Ordinal).Replace("{2}", Second, StringComparison.Ordinal));

        Assert.That(Loading.Join(result.Errors), Does.Contain(expected));
        Assert.That(result.Errors, Has.Count.EqualTo(1), Loading.Join(result.Errors));
    }

    [TestCase("9051", "127.0.0.1:9051")]
    [TestCase("10.0.0.9:9051", "10.0.0.9:9051")]
    [TestCase("[fd00::1]:9051", "[fd00::1]:9051")]
    [TestCase("unix:/run/tor/control", "/run/tor/control")]
    public void Tor_may_be_anywhere(string written, string expected)
    {
        var result = Load($"{Service}[Instance:shop/a]\nAddress = {First}\n[Publisher]\nControlPort = {written}\nSocksPort = {written}\n");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Publisher.ControlEndPoint!.ToString(), Is.EqualTo(expected));
        Assert.That(result.Options.Publisher.SocksEndPoint!.ToString(), Is.EqualTo(expected));
    }

    [TestCase(60, "auto", "")]
    [TestCase(61, "auto", "[OnionService:shop] has 61 instances; 60 are the most")]
    [TestCase(20, "single", "")]
    [TestCase(21, "single", "Descriptors = single, but there are 21 instances")]
    public void Number_of_instances_is_bounded(int count, string descriptors, string expected)
    {
        var lines = Enumerable.Range(0, count).Select(static i => $"[Instance:shop/n{i}]\nAddress = {AddressOf(i)}\n");

        string errors = Loading.Join(Load($"{Service}Descriptors = {descriptors}\n{string.Concat(lines)}").Errors);

        Assert.That(errors, expected.Length == 0 ? Is.Empty : Does.Contain(expected));
    }

    [Test]
    public void Each_program_is_spared_what_only_the_other_uses()
    {
        string text = $"[OnionService:shop]\nKey = /none\n[Instance:shop/a]\nAddress = {First}\n[Listener:main]\nUsersFile = /none\n";

        Assert.Multiple(() =>
        {
            Assert.That(Loading.Join(Load(text, ConfigurationParts.Proxy).Errors), Does.Contain("UsersFile").And.Not.Contains("Key"));
            Assert.That(Loading.Join(Load(text, ConfigurationParts.Publisher).Errors), Does.Contain("Key").And.Not.Contains("UsersFile"));
            Assert.That(Load(text).Errors, Has.Count.EqualTo(2));
        });
    }

    private static string AddressOf(int number)
    {
        byte[] key = new byte[32];
        key[0] = (byte)number;
        return TorBalancer.Primitives.OnionAddress.LabelOf(key);
    }

    private static ConfigurationResult Load(string text, ConfigurationParts parts = ConfigurationParts.All)
    {
        var files = new FakeFiles();
        foreach (string path in (string[])["/k", "/open"])
            files.Texts[path] = "";
        files.Unmakeable["/folder"] = "is a directory";
        files.Modes["/k"] = UnixFileMode.UserRead;
        files.Modes["/open"] = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        return Loading.Text(text, files, parts);
    }
}
