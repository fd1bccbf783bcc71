// Steps are in ci/pipeline. Needs an agent with Python 3.11 or newer, Docker and Compose.
import jetbrains.buildServer.configs.kotlin.*
import jetbrains.buildServer.configs.kotlin.buildSteps.script
import jetbrains.buildServer.configs.kotlin.triggers.vcs

version = "2024.12"

project {
    buildType(Check)
    buildType(Deploy)
}

object Check : BuildType({
    name = "Build and test"
    artifactRules = "build/pipeline/*.* => pipeline"
    vcs { root(DslContext.settingsRoot) }
    steps {
        for (step in listOf("build", "test", "scan", "image")) {
            script { name = step; scriptContent = "ci/pipeline $step" }
        }
    }
    triggers { vcs {} }
})

// Run by hand, on the agent that built the image.
object Deploy : BuildType({
    name = "Deploy to production"
    type = Type.DEPLOYMENT
    maxRunningBuilds = 1
    artifactRules = "build/pipeline/*.* => pipeline"
    vcs { root(DslContext.settingsRoot) }
    params {
        param("env.CUSTCTL_ENV", "prod")
        // Such as ssh://deploy@server.
        text("env.DOCKER_HOST", "", display = ParameterDisplay.PROMPT, allowEmpty = false)
    }
    steps {
        for (step in listOf("gate", "deploy", "rollback-check")) {
            script { name = step; scriptContent = "ci/pipeline $step" }
        }
    }
    dependencies { snapshot(Check) { runOnSameAgent = true } }
})
