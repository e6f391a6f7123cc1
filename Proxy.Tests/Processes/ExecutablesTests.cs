using TorBalancer.Processes;

namespace TorBalancer.Tests.Processes;

public class ExecutablesTests
{
    [Test]
    public void Find_searches_PATH_then_the_usual_places()
    {
        Assert.That(Executables.Find("sh", "relative:/nowhere:/bin"), Is.EqualTo("/bin/sh"));
        Assert.That(Executables.Find("sh", null), Is.EqualTo("/usr/bin/sh"));
        Assert.That(Executables.Find("/bin/sh", null), Is.EqualTo("/bin/sh"));
        Assert.That(Executables.Find("/etc/passwd", null), Is.Null, "not executable");
        Assert.That(Executables.Find("/no/such/tor", "/bin"), Is.Null);
        Assert.That(Executables.Find("no-such-program", "/bin"), Is.Null);
    }

    [Test]
    public void FindTor_takes_auto_a_path_or_a_name()
    {
        Assert.That(Executables.FindTor("auto"), Is.EqualTo(Executables.Find("tor")));
        Assert.That(Executables.FindTor("AUTO"), Is.EqualTo(Executables.Find("tor")));
        Assert.That(Executables.FindTor(""), Is.EqualTo(Executables.Find("tor")));
        Assert.That(Executables.FindTor("/bin/sh"), Is.EqualTo("/bin/sh"));
        Assert.That(Executables.FindTor("sh"), Is.EqualTo(Executables.Find("sh")));
    }
}
