using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Tor;
using TorBalancer.TorControl;

namespace TorBalancer.Tests.Tor;

public sealed class ManagedTorrcExtrasTests
{
    [TestCase("0.4.7.16", false)]
    [TestCase("0.4.8.1", true)]
    [TestCase("0.4.9.11", true)]
    [TestCase("0.4.9.14", true)]
    [TestCase("unknown", false)]
    public void Conflux_is_off_wherever_tor_knows_it_and_the_users_own_line_comes_later(string version, bool isOff)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "ConfluxEnabled 1\n");
            var extras = new ManagedTorrcExtras(new ManagedWorkersOptions { ExtraTorrc = path }, TorVersion.TryParse(version));
            extras.Load();
            Assert.That(extras.LinesFor(""), Is.EqualTo(isOff ? ["ConfluxEnabled 0", "ConfluxEnabled 1"] : new[] { "ConfluxEnabled 1" }));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
